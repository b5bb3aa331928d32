/**
 * A file of fixed answers, one JSON object a line:
 *
 *     {"match": {"user": "hello"}, "answer": "Hello yourself."}
 *     {"match": {"tools": ["get_weather"], "turns": 1}, "answer": {"calls": [{"name": "get_weather", "arguments": {"city": "Rome"}}]}}
 *     {"match": {"user": {"regex": "^rate"}}, "answer": {"error": {"status": 429, "message": "Slow down."}}}
 *
 * All that a match names must hold; an empty one holds always. The first line that holds
 * answers; lines with the same match answer in turn, and the last of them stays.
 */
import { type FaultSpec, readFault } from "./fault-spec.ts";

/** A text as it is, or a regular expression found in it. */
export type TextMatch = string | { readonly regex: string; readonly flags?: string };

export interface Match {
  /** Path, such as /v1/chat/completions. */
  readonly route?: string;
  /** As the request names it. */
  readonly model?: TextMatch;
  /** The last text of the user; of a completion its prompt. */
  readonly user?: TextMatch;
  readonly system?: TextMatch;
  /** What a tool gave back, where that is the last message. */
  readonly tool?: TextMatch;
  /** Tools that are offered, among others. */
  readonly tools?: readonly string[];
  /** Messages of the conversation, that of the system not counted. */
  readonly turns?: number;
  readonly stream?: boolean;
  readonly headers?: Readonly<Record<string, TextMatch>>;
  /** SHA-256 of the body's canonical JSON: of what was recorded. */
  readonly request?: string;
}

export interface Call {
  readonly name: string;
  /** JSON text, or what is written as such. */
  readonly arguments: string | Readonly<Record<string, unknown>>;
  /** Absent: a new one each time. */
  readonly id?: string;
}

export interface AnswerError {
  /** 400 to 599. */
  readonly status: number;
  readonly message?: string;
  readonly type?: string;
}

export interface Answer {
  readonly reasoning?: string;
  readonly text?: string;
  readonly calls?: readonly Call[];
  /** Absent: stop. */
  readonly finish?: "stop" | "length";
  /** Instead of all the rest. */
  readonly error?: AnswerError;
  /** What goes wrong with it, and when it comes: as `--inject` is written. */
  readonly inject?: string | readonly string[];
}

/** What testers write. */
export interface MatchLine {
  readonly match: Match;
  readonly answer: string | Answer;
}

/** The same, checked. */
export interface CheckedLine {
  readonly match: Match;
  readonly answer: Answer;
  readonly faults: readonly FaultSpec[];
}

type Fields = Readonly<Record<string, unknown>>;

const TEXTS = ["model", "user", "system", "tool"] as const;
const MATCHES: readonly string[] = [
  ...TEXTS,
  ...["route", "tools", "turns", "stream", "headers", "request"],
];
const ANSWERS: readonly string[] = ["reasoning", "text", "calls", "finish", "error", "inject"];

/** Throws an Error that names the line and the field. */
export function readLines(text: string): readonly CheckedLine[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [checkedLine(JSON.parse(line))];
    } catch (error) {
      throw new Error(`line ${index + 1}: ${(error as Error).message}`); // JSON and the checks throw Errors
    }
  });
}

/** Throws an Error that names the field. */
export function checkedLine(given: unknown): CheckedLine {
  const line = fieldsOf(given, "a line", ["match", "answer", "recorded"]);
  const match = checkedMatch(fieldsOf(line["match"] ?? {}, "match", MATCHES));
  const { answer } = line;
  if (typeof answer === "string") return { match, answer: { text: answer }, faults: [] };
  const fields = fieldsOf(answer, "answer", ANSWERS);
  const checked = checkedAnswer(fields);
  const inject = fields["inject"] ?? [];
  const specs: readonly unknown[] = Array.isArray(inject) ? inject : [inject];
  const faults = specs.map((spec, at) => {
    try {
      return readFault(String(spec));
    } catch (error) {
      throw new Error(`answer.inject[${at}] ${(error as Error).message}`); // the reader throws Errors
    }
  });
  return { match, answer: checked, faults };
}

function checkedMatch(fields: Fields): Match {
  for (const name of TEXTS) checkText(fields[name], `match.${name}`);
  for (const name of ["route", "request"]) {
    want(fields[name], isText, `match.${name} must be a text`);
  }
  const { tools, turns, stream, headers } = fields;
  want(tools, isTexts, "match.tools must be a list of names");
  want(turns, (its) => Number.isSafeInteger(its), "match.turns must be a whole number");
  want(stream, (its) => typeof its === "boolean", "match.stream must be true or false");
  for (const [name, its] of Object.entries(fieldsOf(headers ?? {}, "match.headers"))) {
    checkText(its, `match.headers.${name}`);
  }
  return fields as Match; // every field was checked above
}

function checkText(its: unknown, where: string): void {
  if (its === undefined || isText(its)) return;
  const { regex, flags } = fieldsOf(its, where, ["regex", "flags"]);
  if (!isText(regex) || !(flags === undefined || isText(flags))) {
    throw new Error(`${where} must be a text, or {"regex": "…"}`);
  }
  try {
    new RegExp(regex, flags);
  } catch (error) {
    throw new Error(`${where}.regex: ${(error as Error).message}`); // a SyntaxError
  }
}

function checkedAnswer(fields: Fields): Answer {
  const { reasoning, text, calls, finish, error } = fields;
  want(reasoning, isText, "answer.reasoning must be a text");
  want(text, isText, "answer.text must be a text");
  const ends = (its: unknown): boolean => its === "stop" || its === "length";
  want(finish, ends, 'answer.finish must be "stop" or "length"');
  want(calls, Array.isArray, "answer.calls must be a list");
  for (const [at, call] of ((calls ?? []) as readonly unknown[]).entries()) {
    const where = `answer.calls[${at}]`;
    const { name, arguments: given, id } = fieldsOf(call, where, ["name", "arguments", "id"]);
    if (!isText(name) || name === "") throw new Error(`${where}.name must be a name`);
    if (!isText(given)) fieldsOf(given, `${where}.arguments`);
    want(id, isText, `${where}.id must be a text`);
  }
  if (error === undefined) return fields as Answer; // every field was checked above
  const { status, message, type } = fieldsOf(error, "answer.error", ["status", "message", "type"]);
  const fails = Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;
  if (!fails) throw new Error("answer.error.status must be of 400 to 599");
  want(message, isText, "answer.error.message must be a text");
  want(type, isText, "answer.error.type must be a text");
  return fields as Answer; // every field was checked above
}

const isText = (its: unknown): its is string => typeof its === "string";
const isTexts = (its: unknown): boolean => Array.isArray(its) && its.every(isText);

function want(its: unknown, fine: (its: unknown) => boolean, wrong: string): void {
  if (its !== undefined && !fine(its)) throw new Error(wrong);
}

/** An object; `known`: of these fields alone. */
function fieldsOf(its: unknown, where: string, known?: readonly string[]): Fields {
  if (typeof its !== "object" || its === null || Array.isArray(its)) {
    throw new Error(`${where} must be an object`);
  }
  const stranger = Object.keys(its).find((name) => known !== undefined && !known.includes(name));
  if (stranger !== undefined) {
    throw new Error(`${where} has no field "${stranger}"; it may have ${known?.join(", ")}`);
  }
  return its as Fields; // an object by the lines above
}
