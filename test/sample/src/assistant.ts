/** A small application: it answers, looks the weather up with a tool, tries again, and gives up in time. */
import type OpenAI from "openai";

type Messages = OpenAI.Chat.ChatCompletionMessageParam[];

export const TOOLS: OpenAI.Chat.ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      },
    },
  },
];

export interface Assistant {
  /** The words as they come. */
  tell(question: string): AsyncGenerator<string>;
  /** Calls tools until there is an answer. */
  ask(question: string, weather: (city: string) => string): Promise<string>;
  /** Undefined: it was no JSON. */
  extract(text: string): Promise<{ name: string; age: number } | undefined>;
}

export function assistant(client: OpenAI, model: string): Assistant {
  const system = { role: "system" as const, content: "You are brief." };
  return {
    async *tell(question) {
      const stream = await client.chat.completions.create({
        model,
        messages: [system, { role: "user", content: question }],
        stream: true,
      });
      for await (const chunk of stream) {
        const text = chunk.choices[0]?.delta.content;
        if (text) yield text;
      }
    },
    async ask(question, weather) {
      const messages: Messages = [system, { role: "user", content: question }];
      for (let turn = 0; turn < 5; turn++) {
        const answer = await client.chat.completions.create({ model, messages, tools: TOOLS });
        const message = answer.choices[0]?.message;
        if (message === undefined) break;
        messages.push(message);
        if (!message.tool_calls?.length) return message.content ?? "";
        for (const call of message.tool_calls) {
          if (call.type !== "function") continue;
          const { city } = JSON.parse(call.function.arguments) as { city: string };
          messages.push({ role: "tool", tool_call_id: call.id, content: weather(city) });
        }
      }
      throw new Error("The model calls tools for ever.");
    },
    async extract(text) {
      const answer = await client.chat.completions.create({
        model,
        messages: [{ role: "user", content: `Extract: ${text}` }],
        response_format: { type: "json_object" },
      });
      try {
        return JSON.parse(answer.choices[0]?.message.content ?? "");
      } catch {
        return undefined;
      }
    },
  };
}
