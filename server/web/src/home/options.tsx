/** What a request asks beside its prompt: lengths, randomness, log-probabilities, tools, a schema. */
import type { Ask } from "./conversation.ts";

const TOOLS = JSON.stringify(
  [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather in a town.",
        parameters: {
          type: "object",
          properties: { town: { type: "string" } },
          required: ["town"],
        },
      },
    },
  ],
  null,
  1,
);
const SCHEMA = JSON.stringify(
  {
    type: "object",
    properties: { name: { type: "string", maxLength: 20 }, age: { type: "integer" } },
    required: ["name", "age"],
    additionalProperties: false,
  },
  null,
  1,
);

export function Options(parts: {
  readonly ask: Ask;
  readonly change: (part: Partial<Ask>) => void;
}) {
  const { ask, change } = parts;
  return (
    <>
      <div class="options">
        <label>
          Max tokens
          <input
            type="number"
            min="1"
            value={ask.maxTokens}
            onInput={(event) => change({ maxTokens: event.currentTarget.valueAsNumber })}
          />
        </label>
        <label>
          Temperature
          <input
            type="number"
            min="0"
            max="2"
            step="0.1"
            value={ask.temperature}
            onInput={(event) => change({ temperature: event.currentTarget.valueAsNumber })}
          />
        </label>
      </div>
      <div class="options">
        <Toggle
          name="Log-probabilities"
          on={ask.logprobs}
          turn={(on) => change({ logprobs: on })}
        />
        <Toggle
          name="Tools"
          on={ask.tools !== ""}
          turn={(on) => change({ tools: on ? TOOLS : "" })}
        />
        <Toggle
          name="JSON schema"
          on={ask.schema !== ""}
          turn={(on) => change({ schema: on ? SCHEMA : "" })}
        />
      </div>
      <Code
        name="Tools, as OpenAI's API takes them"
        text={ask.tools}
        write={(tools) => change({ tools })}
      />
      <Code
        name="JSON schema of the answer"
        text={ask.schema}
        write={(schema) => change({ schema })}
      />
    </>
  );
}

/** A field of JSON, while there is any. */
function Code(parts: {
  readonly name: string;
  readonly text: string;
  readonly write: (text: string) => void;
}) {
  const { name, text, write } = parts;
  if (text === "") return null;
  return (
    <label>
      {name}
      <textarea
        class="code"
        rows={6}
        value={text}
        onInput={(event) => write(event.currentTarget.value)}
      />
    </label>
  );
}

function Toggle(parts: {
  readonly name: string;
  readonly on: boolean;
  readonly turn: (on: boolean) => void;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={parts.on}
        onChange={(event) => parts.turn(event.currentTarget.checked)}
      />
      {parts.name}
    </label>
  );
}
