/** The server's public routes, as the pages call them. */
import { signal } from "@preact/signals";
import { keep, kept } from "./kept.ts";
import { savedFile } from "./saved.ts";

export const apiKey = signal(kept("sessionStorage", "key") ?? "");
apiKey.subscribe((key) => keep("sessionStorage", "key", key));

/** True after a 401, until a key is given. */
export const keyAsked = signal(false);

/** The server's own words for what went wrong. */
export class ServerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The folder of the page: where a proxy serves the server below a path, its routes are there too. */
const base = new URL(".", location.href);

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey.value !== "") headers.set("authorization", `Bearer ${apiKey.value}`);
  const response = await fetch(new URL(path, base), { ...init, headers });
  if (response.ok) return response;
  if (response.status === 401) keyAsked.value = true;
  const text = await response.text();
  throw new ServerError(response.status, messageOf(text) ?? `${response.status}`);
}

/** `{"error":{"message"}}` as vLLM writes it. */
function messageOf(text: string): string | undefined {
  try {
    const body = JSON.parse(text) as { error?: { message?: unknown } | string };
    if (typeof body.error === "string") return body.error;
    return typeof body.error?.message === "string" ? body.error.message : undefined;
  } catch {
    return text === "" ? undefined : text;
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await call(path, signal === undefined ? {} : { signal });
  return (await response.json()) as T; // what the route's schema in /openapi.json says
}

/** The data of each server-sent event, in order; ends at `[DONE]`. */
export async function* streamJson(
  path: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const response = await call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  if (response.body === null) return;
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event.startsWith("data: ") ? event.slice(6) : undefined;
      if (data === undefined) continue;
      if (data === "[DONE]") return;
      yield JSON.parse(data) as unknown;
    }
  }
}

/** A file that this server or this saved page has, by the path that a link names; another server's is refused. */
export async function getFile(path: string): Promise<File> {
  const own = savedFile(path);
  if (own !== undefined) return own;
  const url = new URL(path, base);
  if (url.origin !== base.origin) throw new Error(`${path} is not a file of this server.`);
  const response = await call(path);
  const name = decodeURIComponent(url.pathname.split("/").at(-1) ?? "file");
  return new File([await response.blob()], name);
}
