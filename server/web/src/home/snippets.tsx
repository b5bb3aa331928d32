/** The request of the playground as curl, Node and Python. */
import { useState } from "preact/hooks";
import { CopyButton } from "../copy-button.tsx";
import { type Ask, bodyOf } from "./conversation.ts";

type Language = "curl" | "Node" | "Python";

export function Snippets({ model, ask }: { readonly model: string; readonly ask: Ask }) {
  const [language, setLanguage] = useState<Language>("curl");
  const text = codeOf(language, model, ask);
  return (
    <section class="panel snippet" aria-labelledby="code-title">
      <header>
        <h2 id="code-title">The same request</h2>
        <div class="row">
          {(["curl", "Node", "Python"] as const).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === language}
              onClick={() => setLanguage(name)}
            >
              {name}
            </button>
          ))}
          <CopyButton text={text} />
        </div>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls is reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
    </section>
  );
}

function codeOf(language: Language, model: string, ask: Ask): string {
  let body: Record<string, unknown>;
  try {
    body = bodyOf(model, ask);
  } catch (error) {
    return String(error);
  }
  const url = new URL("v1", new URL(".", location.href)).href;
  switch (language) {
    case "curl":
      return `curl -N ${url}/chat/completions \\\n  -H 'content-type: application/json' \\\n  -d '${JSON.stringify(body, null, 1).replaceAll("'", "'\\''")}'`;
    case "Node":
      return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${url}", apiKey: "none" });
const stream = await client.chat.completions.create(${JSON.stringify(body, null, 2)});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? "");
}`;
    case "Python":
      return `from openai import OpenAI

client = OpenAI(base_url="${url}", api_key="none")
stream = client.chat.completions.create(
${Object.entries(body)
  .map(([name, value]) => `    ${name}=${pythonOf(value)},`)
  .join("\n")}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)`;
  }
}

/** A JSON value as Python writes it. */
function pythonOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, field]) => `${JSON.stringify(key)}: ${pythonOf(field)}`)
      .join(", ")}}`;
  }
  if (value === true) return "True";
  if (value === false) return "False";
  return value === null ? "None" : JSON.stringify(value);
}
