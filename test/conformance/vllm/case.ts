/** A request whose answer vLLM and this server must give alike. */
export interface VllmCase {
  /** Route, place and kind of fault or feature: no two cases share it. */
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  /** The body's text, where it is no JSON or its spelling matters. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const CHAT = "/v1/chat/completions";
export const TEXT = "/v1/completions";

export const story = [{ role: "user", content: "Tell me a story about a dog." }];

/** Greedy, short and about the same story, with these fields. */
export function chat(name: string, fields: object, messages: unknown = story): VllmCase {
  const body = { model: "m", messages, temperature: 0, max_tokens: 4, ...fields };
  return { name: `chat: ${name}`, path: CHAT, body };
}

export function completion(name: string, fields: object): VllmCase {
  const body = { model: "m", prompt: "One day", temperature: 0, max_tokens: 4, ...fields };
  return { name: `completion: ${name}`, path: TEXT, body };
}
