/**
 * `trainyard chat`: a conversation in the terminal, with a server (`--url`), or
 * with one that is started for it. Lines beginning with / are commands.
 */
import { createInterface } from "node:readline";
import { atLeast, rowsOf } from "../../server/settings/row.ts";
import { SseParser } from "../load/sse.ts";
import { reason } from "../usage.ts";
import { type FlagValues, parseFlags } from "./flags.ts";
import { count } from "./kinds.ts";

interface ChatOptions {
  readonly url?: string;
  readonly modelName?: string;
  readonly apiKey?: string;
  readonly systemPrompt?: string;
  readonly quick?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly stats?: boolean;
}

interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

const HELP = `/system TEXT   set the system prompt (without TEXT: drop it)
/clear         forget the conversation
/history       show the conversation
/stats         tokens and times after each answer, on or off
/exit          leave (also Ctrl-D; Ctrl-C stops an answer, and leaves when there is none)
`;

const talk = rowsOf("Talk");
const server = rowsOf("Server");

export const CHAT_FLAGS = {
  url: server.text(undefined, "a server's address, such as http://localhost:8000", {
    value: "URL",
  }),
  "model-name": server.text(undefined, "model to ask for; default: the server's first", {
    value: "ID",
  }),
  "api-key": server.text(undefined, "key of the server", {
    value: "KEY",
    secret: true,
    env: "OPENAI_API_KEY",
  }),
  "system-prompt": talk.text(undefined, "what the model is told first"),
  quick: talk.text(undefined, "ask this, print the answer, and leave; also -q", { short: "-q" }),
  temperature: talk.number(undefined, "default: the server's", { check: atLeast(0) }),
  "max-tokens": count(talk, undefined, "tokens of an answer at most"),
  stats: talk.toggle(false, "tokens and times after each answer"),
} as const;

type ChatValues = FlagValues<typeof CHAT_FLAGS>;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, argument } = parseFlags(
    {
      name: "trainyard chat",
      sentence: "Talks to a model: to a running server, or to one started for the talk.",
      argument: { name: "MODEL", sentence: "model of the server to start, when there is no --url" },
      flags: CHAT_FLAGS,
    },
    argv,
    (text) => void process.stdout.write(text),
  );
  const options = optionsOf(values);
  let started: Awaited<ReturnType<typeof startServer>> | undefined;
  try {
    if (options.url === undefined) started = await startServer(argument);
    const chat = new Chat(baseUrl(options.url ?? started?.url ?? ""), options);
    await chat.connect();
    if (options.quick !== undefined) return (await chat.ask(options.quick)) ? 0 : 1;
    return await converse(chat);
  } finally {
    await started?.stop(0);
  }
}

function optionsOf(values: ChatValues): ChatOptions {
  const { url, quick, temperature, stats } = values;
  const named = {
    modelName: "model-name",
    apiKey: "api-key",
    systemPrompt: "system-prompt",
  } as const;
  const texts = Object.entries(named).flatMap(([key, flag]) => {
    const value = values[flag];
    return value === undefined ? [] : [[key, value]];
  });
  const maxTokens = values["max-tokens"];
  return {
    stats,
    ...Object.fromEntries(texts),
    ...(url === undefined ? {} : { url }),
    ...(quick === undefined ? {} : { quick }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
}

/** With its /v1, which is readily forgotten. */
function baseUrl(given: string): string {
  const url = given.replace(/\/+$/, "");
  return URL.canParse(url) && new URL(url).pathname === "/" ? `${url}/v1` : url;
}

/** A server of this process on a free port, silent. */
async function startServer(model: string | undefined) {
  const { parseSettings } = await import("../../server/config.ts");
  const { serve } = await import("../../server/main.ts");
  const { pino } = await import("pino");
  const { settings } = parseSettings(
    [...(model === undefined ? [] : [model]), "--port", "0"],
    process.env,
  );
  return serve(settings, pino({ level: "silent" }));
}

async function converse(chat: Chat): Promise<number> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  process.stdout.write(`${chat.model}: /help for commands, /exit to leave.\n`);
  terminal.on("SIGINT", () => {
    if (!chat.interrupt()) terminal.close();
  });
  terminal.setPrompt("> ");
  terminal.prompt();
  // The iterator keeps lines that come while an answer streams.
  for await (const line of terminal) {
    if (line === "/exit" || line === "/quit") {
      terminal.close();
      return 0;
    }
    if (line.startsWith("/")) process.stdout.write(chat.command(line));
    else if (line.trim() !== "") await chat.ask(line);
    terminal.prompt();
  }
  process.stdout.write("\n"); // Ctrl-C and Ctrl-D leave the cursor behind the prompt
  return 0;
}

class Chat {
  model = "";
  readonly #base: string;
  readonly #options: ChatOptions;
  #messages: Message[] = [];
  #stats: boolean;
  #running: AbortController | undefined;

  constructor(base: string, options: ChatOptions) {
    this.#base = base;
    this.#options = options;
    this.#stats = options.stats ?? false;
    if (options.systemPrompt !== undefined) this.#system(options.systemPrompt);
  }

  async connect(): Promise<void> {
    if (this.#options.modelName !== undefined) {
      this.model = this.#options.modelName;
      return;
    }
    const response = await this.#fetch("/models");
    const { data } = (await response.json()) as { data?: { id?: string }[] }; // a foreign server: all optional
    const id = data?.[0]?.id;
    if (id === undefined) throw new Error(`${this.#base} serves no model.`);
    this.model = id;
  }

  /** What to show for a line that begins with /. */
  command(line: string): string {
    const [name, ...words] = line.split(" ");
    const text = words.join(" ");
    switch (name) {
      case "/system":
        this.#system(text);
        return text === "" ? "No system prompt.\n" : "System prompt set.\n";
      case "/clear":
        this.#messages = this.#messages.filter((message) => message.role === "system");
        return "The conversation is forgotten.\n";
      case "/history":
        return this.#messages.map(({ role, content }) => `${role}: ${content}\n`).join("");
      case "/stats":
        this.#stats = !this.#stats;
        return `Stats ${this.#stats ? "on" : "off"}.\n`;
      case "/help":
        return HELP;
      default:
        return `Unknown command ${name}.\n${HELP}`;
    }
  }

  /** Stops the answer under way; false when there is none. */
  interrupt(): boolean {
    if (this.#running === undefined) return false;
    this.#running.abort();
    return true;
  }

  /** Streams the answer to the terminal; false when there was an error. */
  async ask(text: string): Promise<boolean> {
    const { temperature, maxTokens } = this.#options;
    const messages: Message[] = [...this.#messages, { role: "user", content: text }];
    const controller = new AbortController();
    this.#running = controller;
    const began = performance.now();
    let answer = "";
    let first: number | undefined;
    let tokens: number | undefined;
    try {
      const response = await this.#fetch("/chat/completions", {
        signal: controller.signal,
        body: {
          model: this.model,
          messages,
          stream: true,
          stream_options: { include_usage: true },
          ...(temperature !== undefined && { temperature }),
          ...(maxTokens !== undefined && { max_tokens: maxTokens }),
        },
      });
      for await (const chunk of events(response)) {
        if (chunk.error !== undefined) throw new Error(chunk.error.message ?? "unknown error");
        tokens = chunk.usage?.completion_tokens ?? tokens;
        const piece = chunk.choices?.[0]?.delta?.content ?? "";
        if (piece !== "") first ??= performance.now();
        answer += piece;
        process.stdout.write(piece);
      }
    } catch (error) {
      if (!controller.signal.aborted) {
        process.stdout.write(`\n${reason(error)}\n`);
        return false;
      }
    } finally {
      this.#running = undefined;
    }
    process.stdout.write("\n");
    this.#messages = [...messages, { role: "assistant", content: answer }];
    if (this.#stats && first !== undefined && tokens !== undefined) {
      const seconds = (performance.now() - first) / 1000;
      const rate = tokens > 1 ? ((tokens - 1) / seconds).toFixed(1) : "–";
      const wait = Math.round(first - began);
      process.stdout.write(`[${tokens} tokens, first after ${wait} ms, ${rate} tokens/s]\n`);
    }
    return true;
  }

  #system(text: string): void {
    const rest = this.#messages.filter((message) => message.role !== "system");
    this.#messages = text === "" ? rest : [{ role: "system", content: text }, ...rest];
  }

  async #fetch(
    path: string,
    { body, signal }: { readonly body?: object; readonly signal?: AbortSignal } = {},
  ): Promise<Response> {
    const key = this.#options.apiKey;
    const response = await fetch(`${this.#base}${path}`, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
      headers: {
        "content-type": "application/json",
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
    });
    if (response.ok) return response;
    const text = await response.text();
    let message = text;
    try {
      const { error } = JSON.parse(text) as { error?: { message?: string } | string };
      message = (typeof error === "string" ? error : error?.message) ?? text;
    } catch {
      // not JSON: shown as it is
    }
    throw new Error(`${response.status}: ${message}`);
  }
}

/** The parts of a chunk that are shown; of a foreign server, so all optional. */
interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: { readonly completion_tokens?: number } | null;
  readonly error?: { readonly message?: string };
}

async function* events(response: Response): AsyncGenerator<Chunk> {
  const ready: string[] = [];
  const parser = new SseParser((data) => ready.push(data));
  for await (const bytes of response.body ?? []) {
    parser.push(bytes);
    for (const data of ready.splice(0)) {
      if (data === "[DONE]") return;
      yield JSON.parse(data) as Chunk; // see Chunk
    }
  }
}
