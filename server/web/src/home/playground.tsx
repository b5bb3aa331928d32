/** A request, its answer, where its time went, and the same request as code. */
import { useState } from "preact/hooks";
import { Answer } from "./answer.tsx";
import { type Ask, failure, finish, running, send, stop } from "./conversation.ts";
import { Pace, ReceiptOf } from "./pace.tsx";
import { Snippets } from "./snippets.tsx";

const FIRST: Ask = {
  prompt: "Tell me a story about a dog.",
  maxTokens: 200,
  temperature: 0.7,
  logprobs: false,
  tools: "",
  schema: "",
};

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

export function Playground({ model }: { readonly model: string }) {
  const [ask, setAsk] = useState(FIRST);
  const change = (part: Partial<Ask>): void => setAsk({ ...ask, ...part });
  const go = (): void => void send(model, ask);
  return (
    <div class="bench">
      <div class="column">
        <section class="panel" aria-labelledby="ask-title">
          <header>
            <h2 id="ask-title">Ask</h2>
            <span class="note">Ctrl Enter sends</span>
          </header>
          <label>
            Message
            <textarea
              value={ask.prompt}
              onInput={(event) => change({ prompt: event.currentTarget.value })}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) go();
              }}
            />
          </label>
          <Options ask={ask} change={change} />
          <div class="row">
            <button type="button" class="primary" disabled={model === ""} onClick={go}>
              Send
            </button>
            <button type="button" disabled={!running.value} onClick={stop}>
              Stop
            </button>
            {finish.value !== undefined && <span class="note">ended: {finish.value}</span>}
          </div>
          {failure.value !== undefined && (
            <p class="error" role="alert">
              {failure.value}
            </p>
          )}
        </section>
        <section class="panel" aria-labelledby="answer-title">
          <header>
            <h2 id="answer-title">Answer</h2>
          </header>
          <Answer />
        </section>
      </div>
      <div class="column">
        <Pace />
        <ReceiptOf />
        <Snippets model={model} ask={ask} />
      </div>
    </div>
  );
}

function Options(parts: { readonly ask: Ask; readonly change: (part: Partial<Ask>) => void }) {
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
      {ask.tools !== "" && (
        <label>
          Tools, as OpenAI's API takes them
          <textarea
            class="code"
            rows={6}
            value={ask.tools}
            onInput={(event) => change({ tools: event.currentTarget.value })}
          />
        </label>
      )}
      {ask.schema !== "" && (
        <label>
          JSON schema of the answer
          <textarea
            class="code"
            rows={6}
            value={ask.schema}
            onInput={(event) => change({ schema: event.currentTarget.value })}
          />
        </label>
      )}
    </>
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
