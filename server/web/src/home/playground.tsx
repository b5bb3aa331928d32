/** A request, its answer, where its time went, and the same request as code. */
import { useState } from "preact/hooks";
import { Answer } from "./answer.tsx";
import { type Ask, failure, finish, running, send, stop } from "./conversation.ts";
import { Options } from "./options.tsx";
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
