/**
 * A chat template tried on small conversations, so that one that cannot be rendered is
 * found when the server starts, not by its first client. What a template itself refuses
 * (`raise_exception`) is its own affair.
 */
import type { ChatTemplate } from "../model.ts";
import { ChatTemplateError } from "./chat-template.ts";

const user = { role: "user", content: "What is the weather in Paris?" };
const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Tells the weather.",
      parameters: {
        type: "object",
        properties: { city: { type: "string", description: "Where." } },
        required: ["city"],
      },
    },
  },
];
const call = {
  id: "abcdefghi",
  type: "function",
  function: { name: "get_weather", arguments: { city: "Paris" } },
};
const CONVERSATIONS: readonly {
  readonly what: string;
  readonly messages: readonly unknown[];
  readonly tools?: readonly unknown[];
}[] = [
  { what: "a question", messages: [user] },
  {
    what: "a system message and several turns",
    messages: [
      { role: "system", content: "Be brief." },
      user,
      { role: "assistant", content: "Sunny." },
      user,
    ],
  },
  { what: "tools", messages: [user], tools: TOOLS },
  {
    what: "a tool's call and answer",
    messages: [
      user,
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", tool_call_id: "abcdefghi", name: "get_weather", content: "Sunny" },
    ],
    tools: TOOLS,
  },
];

/** What of Jinja the engine lacks, by its messages and ours. */
const LACKING =
  /not known|has no method|is not a function|Unknown \w+ (filter|operator|test)|not currently supported|does not compile|template engine cannot/;

export interface TemplateFault {
  /** What cannot be rendered and why. */
  readonly sentence: string;
  /** The engine lacks what the template uses; else a request's own variables may mend it. */
  readonly fatal: boolean;
}

/** `variables`: what the server gives every template. Undefined: nothing was found. */
export function faultOf(
  template: ChatTemplate,
  variables: Readonly<Record<string, unknown>> = {},
): TemplateFault | undefined {
  const faults: TemplateFault[] = [];
  for (const { what, messages, tools } of CONVERSATIONS) {
    try {
      template.render({ messages, variables, ...(tools && { tools }) });
    } catch (error) {
      // Faults of the template carry what the engine threw; its own refusals do not.
      if (error instanceof ChatTemplateError && error.cause === undefined) continue;
      const { message } = error as Error; // whatever renders throws Errors
      const sentence = `it cannot render ${what}: ${message}`;
      faults.push({ sentence, fatal: LACKING.test(message) });
    }
  }
  return faults.find(({ fatal }) => fatal) ?? faults[0];
}
