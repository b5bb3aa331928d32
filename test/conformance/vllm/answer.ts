/**
 * An answer as it is compared: status, type and body, a stream as its list of
 * events. Ids, times and fingerprints are masked, numbers kept to two digits
 * (two builds of the same arithmetic differ further on), and neighbouring deltas
 * of plain text joined: how many tokens share an event is a matter of pace.
 */
import type { VllmCase } from "./case.ts";

export interface VllmAnswer {
  readonly status: number;
  readonly type: string;
  readonly lines: readonly string[];
}

export async function ask(url: string, request: VllmCase): Promise<VllmAnswer> {
  const { path, body, raw } = request;
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await fetch(`${url}${path}`, {
    method: request.method ?? (text === undefined ? "GET" : "POST"),
    headers: {
      ...(raw === undefined && body !== undefined && { "content-type": "application/json" }),
      ...request.headers,
    },
    // Bytes, so that no content type is made up.
    ...(text !== undefined && { body: Buffer.from(text) }),
    redirect: "manual",
    signal: AbortSignal.timeout(120_000),
  });
  const [type = ""] = (answer.headers.get("content-type") ?? "").split(";");
  const got = await answer.text();
  const lines =
    type === "text/event-stream"
      ? joined(got.split("\n\n").filter(Boolean).map(tidyEvent))
      : [tidy(got)];
  return { status: answer.status, type, lines };
}

function mask(text: string): string {
  return text
    .replaceAll(/"(id|request_id)":\s*"[A-Za-z]+[-_][A-Za-z0-9-]+"/g, '"$1":"ID"')
    .replaceAll(/"root":\s*"[^"]*"/g, '"root":"FOLDER"')
    .replaceAll(/"created":\s*[\d.]+/g, '"created":0')
    .replaceAll(/"system_fingerprint":\s*("[^"]*"|null)/g, '"system_fingerprint":"F"')
    .replaceAll(/chatcmpl-tool-[a-f0-9]+|call_[A-Za-z0-9]{8,}/g, "TOOL");
}

function tidy(text: string): string {
  const masked = mask(text);
  try {
    return JSON.stringify(JSON.parse(masked), (_key, value: unknown) =>
      typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 100) / 100 : value,
    );
  } catch {
    return masked;
  }
}

function tidyEvent(event: string): string {
  return event.replace(/data: (\{.*\})/s, (_, data: string) => `data: ${tidy(data)}`);
}

interface Chunk {
  readonly choices?: {
    readonly index: number;
    readonly finish_reason: string | null;
    readonly logprobs?: unknown;
    readonly token_ids?: unknown;
    readonly delta?: { content?: unknown };
    text?: unknown;
  }[];
  readonly usage?: unknown;
}

/** The chunk's only choice, where it carries text and nothing else. */
function plainChoice({ choices, usage }: Chunk) {
  const [choice] = choices ?? [];
  if (choice === undefined || choices?.length !== 1 || usage) return undefined;
  if (choice.finish_reason !== null || choice.logprobs || choice.token_ids) return undefined;
  const { delta } = choice;
  const plain =
    delta === undefined
      ? typeof choice.text === "string"
      : Object.keys(delta).join() === "content" && typeof delta.content === "string";
  return plain ? choice : undefined;
}

function joined(lines: readonly string[]): readonly string[] {
  const out: string[] = [];
  let last: { readonly chunk: Chunk; readonly choice: ReturnType<typeof plainChoice> } | undefined;
  for (const line of lines) {
    const chunk = chunkOf(line);
    const choice = chunk && plainChoice(chunk);
    const before = last?.choice;
    if (choice && before && last && before.index === choice.index) {
      if (before.delta && choice.delta) {
        before.delta.content = `${before.delta.content}${choice.delta.content}`;
      } else before.text = `${before.text}${choice.text}`;
      out[out.length - 1] = `data: ${JSON.stringify(last.chunk)}`;
      continue;
    }
    out.push(line);
    last = choice && chunk ? { chunk, choice } : undefined;
  }
  return out;
}

function chunkOf(line: string): Chunk | undefined {
  try {
    return JSON.parse(line.slice("data: ".length)) as Chunk; // what both servers' chunks have
  } catch {
    return undefined;
  }
}
