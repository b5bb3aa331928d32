/** An answer as goldens keep it: what differs from run to run made alike, events in order. */

export interface WireCase {
  readonly name: string;
  readonly path: string;
  /** Absent: POST with a body, else GET. */
  readonly method?: string;
  readonly body?: object;
  /** In place of a body: text that may be no JSON. */
  readonly raw?: string;
}

export interface WireAnswer {
  readonly status: number;
  /** One, or the events of a stream. */
  readonly lines: readonly string[];
}

export interface WireGoldens {
  readonly vllm: string;
  readonly flags: string;
  /** Hash of the served folder's files. */
  readonly folder: string;
  readonly cases: readonly (WireCase & WireAnswer)[];
}

export async function ask(
  url: string,
  { path, method, body, raw }: WireCase,
  signal?: AbortSignal,
): Promise<Response> {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return fetch(`${url}${path}`, {
    method: method ?? (text === undefined ? "GET" : "POST"),
    ...(text !== undefined && { body: text, headers: { "content-type": "application/json" } }),
    ...(signal && { signal }),
  });
}

export async function read(response: Response): Promise<WireAnswer> {
  const text = await response.text();
  const streams = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  const events = streams ? text.split("\n\n").filter((event) => event !== "") : [text];
  const lines = events.map((event) =>
    streams
      ? event.replace(/data: (\{.*\})/, (_, data: string) => `data: ${alike(data)}`)
      : alike(event),
  );
  return { status: response.status, lines: joined(lines) };
}

/** Two tokens may share an event where a device is quicker than its stream: text alone is joined. */
function joined(lines: readonly string[]): readonly string[] {
  const out: string[] = [];
  let open: Chunk | undefined;
  for (const line of lines) {
    const chunk = plainChunk(line);
    const [choice] = chunk?.choices ?? [];
    const [before] = open?.choices ?? [];
    if (open !== undefined && choice !== undefined && before?.index === choice.index) {
      if (before.delta && choice.delta) before.delta.content += choice.delta.content;
      else before.text = (before.text ?? "") + (choice.text ?? "");
      out[out.length - 1] = `data: ${JSON.stringify(open)}`;
    } else {
      out.push(line);
      open = chunk;
    }
  }
  return out;
}

interface Chunk {
  readonly usage?: unknown;
  readonly choices: readonly {
    readonly index: number;
    readonly finish_reason: unknown;
    readonly logprobs?: unknown;
    readonly token_ids?: unknown;
    readonly delta?: { content: string };
    text?: string;
  }[];
}

function plainChunk(line: string): Chunk | undefined {
  if (!line.startsWith("data: {")) return undefined;
  const chunk: Partial<Chunk> = JSON.parse(line.slice("data: ".length));
  const [choice, more] = chunk.choices ?? [];
  if (choice === undefined || more !== undefined || chunk.usage) return undefined;
  if (choice.finish_reason !== null || choice.logprobs || choice.token_ids) return undefined;
  const text = choice.delta
    ? Object.keys(choice.delta).join() === "content" && typeof choice.delta.content === "string"
    : typeof choice.text === "string";
  return text ? (chunk as Chunk) : undefined; // it has choices
}

const IDS =
  /"(id|request_id|item_id|response_id|previous_response_id|call_id|tool_use_id)":\s*"[A-Za-z]+[-_][A-Za-z0-9-]+"/g;

/** Ids, times and fingerprints aside; numbers that are not whole to two digits. */
function alike(text: string): string {
  const masked = text
    .replace(IDS, '"$1":"ID"')
    .replace(/"(created|created_at|completed_at)":\s*[\d.]+/g, '"$1":0')
    .replace(/"system_fingerprint":\s*("[^"]*"|null)/g, '"system_fingerprint":"F"')
    .replace(/"signature":\s*"[a-f0-9]+"/g, '"signature":"SIGNED"')
    .replace(/Response with id '\w+'/g, "Response with id 'ID'")
    .replace(/chatcmpl-tool-[a-f0-9]+/g, "TOOL")
    .replace(/call_[A-Za-z0-9]+/g, "TOOL");
  try {
    return JSON.stringify(JSON.parse(masked), (_, value: unknown) =>
      typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 100) / 100 : value,
    );
  } catch {
    return masked;
  }
}
