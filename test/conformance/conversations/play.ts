/** A conversation: requests one after the other, each made of what was answered before. */
import { setTimeout } from "node:timers/promises";
import { ask, read, type WireAnswer } from "../../../scripts/maintain/goldens/wire-answer.ts";

export interface Turn {
  readonly path: string | ((said: readonly Said[]) => string);
  /** Absent: POST with a body, else GET. */
  readonly method?: string;
  readonly body?: object | ((said: readonly Said[]) => object);
  /** The client leaves after so many events. */
  readonly leaves?: number;
  /** Asked again until the response has ended. */
  readonly waits?: boolean;
}

export interface Conversation {
  readonly name: string;
  /** Which server it is held with. */
  readonly world: World;
  readonly turns: readonly Turn[];
}

/** `thinks`: its texts have a thought (thinking-folder.ts). */
export type World = "plain" | "thinks";

/** An answer as the next turn sees it: the body, or that of the stream's last response. */
// biome-ignore lint/suspicious/noExplicitAny: any JSON value; scripts say what they expect of it.
export type Said = any;

const MODEL = { model: "m", temperature: 0 };
const ended = /"status":"(?!queued|in_progress)/;

/** `after` is called when a turn is over. */
export async function play(
  url: string,
  { turns }: Conversation,
  after: () => Promise<void> = async () => {},
): Promise<readonly WireAnswer[]> {
  const said: Said[] = [];
  const answers: WireAnswer[] = [];
  for (const turn of turns) {
    const { path, body, method, leaves, waits } = turn;
    const request = {
      name: "",
      path: typeof path === "string" ? path : path(said),
      ...(method && { method }),
      ...(body && { body: { ...MODEL, ...(typeof body === "function" ? body(said) : body) } }),
    };
    if (leaves !== undefined) {
      answers.push(await left(url, request, leaves));
      said.push(undefined);
    } else {
      let answer = await whole(url, request);
      while (waits && !ended.test(answer.text)) {
        await setTimeout(20);
        answer = await whole(url, request);
      }
      said.push(saidIn(answer.text));
      answers.push(answer.answer);
    }
    await after();
  }
  return answers;
}

type Request = Parameters<typeof ask>[1];

async function whole(url: string, request: Request) {
  const response = await ask(url, request);
  const text = await response.clone().text();
  return { text, answer: joined(await read(response)) };
}

/** The first events alone: what comes later depends on when the client was missed. */
async function left(url: string, request: Request, events: number): Promise<WireAnswer> {
  const abort = new AbortController();
  const response = await ask(url, request, abort.signal);
  const decoder = new TextDecoder();
  let text = "";
  const reader = response.body?.getReader();
  while (text.split("\n\n").length <= events) {
    const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  abort.abort();
  const first = text.split("\n\n").slice(0, events).join("\n\n");
  const type = response.headers.get("content-type") ?? "";
  return joined(
    await read(
      new Response(`${first}\n\n`, { status: response.status, headers: { "content-type": type } }),
    ),
  );
}

/**
 * How many tokens share an event is a matter of pace: neighbouring deltas of a text are
 * one. Sequence numbers that count up are left out, for they count those events.
 */
function joined({ status, lines }: WireAnswer): WireAnswer {
  const events = lines.map(eventOf);
  const numbers = events.flatMap((one) => one?.data["sequence_number"] ?? []);
  const counts = numbers.every((number, at) => number === Number(numbers[0]) + at);
  const out: string[] = [];
  let last: Event | undefined;
  for (const [at, one] of events.entries()) {
    if (one === undefined) {
      out.push(lines[at] ?? "");
      last = undefined;
      continue;
    }
    if (counts) delete one.data["sequence_number"];
    const grown = last && grow(last, one);
    if (grown) out.pop();
    last = grown ?? one;
    out.push(`${last.head}data: ${JSON.stringify(last.data)}`);
  }
  return { status, lines: out };
}

interface Event {
  readonly head: string;
  readonly data: Record<string, unknown>;
}

function eventOf(line: string): Event | undefined {
  const at = line.indexOf("data: {");
  if (at < 0) return undefined;
  return { head: line.slice(0, at), data: JSON.parse(line.slice(at + "data: ".length)) };
}

/** Undefined: the second is not more of the same. */
function grow(last: Event, { head, data }: Event): Event | undefined {
  const told = data["logprobs"];
  if (last.head !== head || (Array.isArray(told) && told.length > 0)) return undefined;
  const { delta } = data;
  const before = last.data["delta"];
  if (typeof delta === "string" && typeof before === "string") {
    return { head, data: { ...data, delta: before + delta } };
  }
  if (head !== "event: content_block_delta\n") return undefined;
  const [one, other] = [before, delta] as readonly Record<string, string>[]; // of that event
  if (one === undefined || other === undefined || one["type"] !== other["type"]) return undefined;
  const [field = ""] = Object.keys(other).filter((name) => name !== "type");
  return { head, data: { ...data, delta: { ...other, [field]: `${one[field]}${other[field]}` } } };
}

function saidIn(text: string): Said {
  if (text.startsWith("{")) return JSON.parse(text);
  const events = text.split("\n\n").flatMap((event) => {
    const data = event.split("data: ")[1];
    return data?.startsWith("{") ? [JSON.parse(data)] : [];
  });
  return events.findLast(({ response }) => response !== undefined)?.response ?? events;
}
