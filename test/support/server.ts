/** A whole server in this process: settings as on the command line, no console. */
import { pino } from "pino";
import { parseSettings } from "../../server/config.ts";
import { type RunningServer, serve } from "../../server/main.ts";

export interface TestServer extends RunningServer {
  /** Requests the server and parses the answer. */
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** The events of a stream, `data: ` taken off. */
  stream(path: string, body: object): Promise<readonly string[]>;
  /** The value of one metric series: its name and, if given, part of its labels. */
  metric(name: string, labels?: string): Promise<number>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Whatever it is: assertions say what a test expects. */
  readonly json: ReturnType<typeof JSON.parse>;
}

/** On a free port; by default a tiny model on the null device. */
export async function startServer(
  argv: readonly string[] = ["models/tiny/llama", "--device", "null"],
): Promise<TestServer> {
  const { settings } = parseSettings([...argv, "--port", "0"]);
  const server = await serve(settings, pino({ level: "silent" }));
  const ask = async (path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined,
    };
  };
  const post: TestServer["post"] = (path, body, headers = {}) =>
    ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return {
    ...server,
    get: (path) => ask(path),
    post,
    stream: async (path, body) => {
      const { text } = await post(path, { ...body, stream: true });
      const events = text.split("\n\n");
      if (events.pop() !== "") throw new Error("The stream does not end with an empty line.");
      return events.map((event) => {
        if (!event.startsWith("data: ")) throw new Error(`Not an event: ${event}`);
        return event.slice("data: ".length);
      });
    },
    metric: async (name, labels = "") => {
      const { text } = await ask("/metrics");
      const line = text
        .split("\n")
        .find((one) => one.startsWith(`${name}{`) && one.includes(labels));
      if (line === undefined) throw new Error(`There is no series ${name} ${labels}.`);
      return Number(line.slice(line.lastIndexOf(" ") + 1));
    },
  };
}
