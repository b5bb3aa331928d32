/**
 * Flags of the commands, as rows of the server's kind of table: type, default,
 * check, sentence, secret. Help, errors and FLAGS.md come from the rows. As in
 * vLLM, dashes and underscores are equal.
 */

import { Command, CommanderError, Option } from "commander";
import { environmentText } from "../../server/settings/environment.ts";
import type { Row } from "../../server/settings/row.ts";
import { withoutUser } from "../load/server.ts";
import { UsageError } from "../usage.ts";
import { quoted } from "./quoted.ts";

export type FlagTable = Readonly<Record<string, Row<unknown>>>;

export type ValueOf<R> = R extends { readonly parse: (text: string) => infer T }
  ? R extends { readonly default: infer D }
    ? T | D
    : never
  : never;

export type FlagValues<T extends FlagTable> = { readonly [F in keyof T]: ValueOf<T[F]> };

export interface CommandSpec<T extends FlagTable> {
  /** e.g. `trainyard sweep`. */
  readonly name: string;
  readonly sentence: string;
  /** The one word that may stand without a flag. */
  readonly argument?: { readonly name: string; readonly sentence: string };
  readonly flags: T;
}

export interface CommandLine<T extends FlagTable> {
  readonly values: FlagValues<T>;
  readonly argument: string | undefined;
  /** Flags that were typed, or named by the environment. */
  readonly given: ReadonlySet<keyof T & string>;
  /** The line as it may be written down: quoted for a shell, secrets left out. */
  readonly shown: string;
}

/** Throws UsageError, or CommanderError with exit code 0 when help was printed. */
export function parseFlags<T extends FlagTable>(
  spec: CommandSpec<T>,
  argv: readonly string[],
  print: (text: string) => void,
): CommandLine<T> {
  const words = argv.map((word) => spelt(word, spec.flags));
  const command = commandOf(spec, print);
  command.parse(words, { from: "user" });
  const typed = new Map(
    Object.entries(command.opts<Record<string, unknown>>()).map(([name, value]) => [
      kebab(name),
      value,
    ]),
  );
  const values: Record<string, unknown> = {};
  const given = new Set<keyof T & string>();
  for (const [flag, row] of Object.entries(spec.flags)) {
    const said = asText(typed.get(flag));
    const text = said ?? environmentText(row, process.env);
    if (text === undefined || text === "") {
      values[flag] = row.default;
      continue;
    }
    given.add(flag);
    try {
      values[flag] = row.parse(text);
    } catch (error) {
      const got = row.secret === true ? "" : `, not "${text}"`;
      const name = said === undefined ? row.env : `--${flag}`;
      throw new UsageError(`${name} ${(error as Error).message}${got}.`); // rows throw Errors only
    }
  }
  return {
    values: values as FlagValues<T>, // every row was filled in above
    argument: command.args[0],
    given,
    shown: shownLine(spec, words),
  };
}

function commandOf<T extends FlagTable>(
  spec: CommandSpec<T>,
  print: (text: string) => void,
): Command {
  const command = new Command(spec.name)
    .description(spec.sentence)
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  if (spec.argument !== undefined)
    command.argument(`[${spec.argument.name}]`, spec.argument.sentence);
  for (const [flag, row] of Object.entries(spec.flags)) {
    const usage = row.value === undefined ? "" : ` <${row.value}${row.many ? "..." : ""}>`;
    const extra = [
      ...(shownDefault(row) === "" ? [] : [`default: ${shownDefault(row)}`]),
      ...(row.env === undefined ? [] : [`env: ${row.env}`]),
    ];
    const sentence = extra.length === 0 ? row.sentence : `${row.sentence} (${extra.join(", ")})`;
    // Plain `--no-x` is a switch that is on by default: its help is the negative form.
    const off = row.value === undefined && row.default === true;
    const positive = new Option(`--${flag}${usage}`, sentence.trim()).helpGroup(`${row.group}:`);
    command.addOption(off ? positive.hideHelp() : positive);
    if (row.value !== undefined) continue;
    const negative = new Option(`--no-${flag}`, sentence).helpGroup(`${row.group}:`);
    command.addOption(off ? negative : negative.hideHelp());
  }
  return command;
}

/** `--a_b=1` → `--a-b=1`; a row's other spelling → its own. */
function spelt(word: string, flags: FlagTable): string {
  const [name = "", ...rest] = word.split("=");
  const value = rest.length === 0 ? "" : `=${rest.join("=")}`;
  const other = Object.entries(flags).find(([, { short }]) => short === name);
  if (other !== undefined) return `--${other[0]}${value}`;
  return word.startsWith("--") ? `${name.replaceAll("_", "-")}${value}` : word;
}

/** A command line taken apart: flags of the table with their values, and all other words. */
export function ownWords(
  flags: FlagTable,
  argv: readonly string[],
): { readonly own: readonly string[]; readonly rest: readonly string[] } {
  const own: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = spelt(argv[at] ?? "", flags);
    const [flag = ""] = word.split("=");
    const row = flag.startsWith("--") ? flags[flag.slice(2)] : undefined;
    if (row === undefined) rest.push(argv[at] ?? "");
    else if (row.value === undefined || word.includes("=")) own.push(word);
    else {
      const value = argv[++at];
      if (value === undefined) throw new UsageError(`${flag} needs a value.`);
      own.push(word, value);
    }
  }
  return { own, rest };
}

function asText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? JSON.stringify(value) : String(value);
}

/** Values of secret rows become ***, and so does whatever stands between // and @ in a URL. */
function shownLine<T extends FlagTable>(spec: CommandSpec<T>, words: readonly string[]): string {
  const shown: string[] = [];
  let secret = false;
  for (const word of words) {
    if (word.startsWith("--")) {
      const [flag = "", ...value] = word.slice(2).split("=");
      secret = spec.flags[flag]?.secret === true;
      shown.push(secret && value.length > 0 ? `--${flag}=***` : quoted(withoutUser(word)));
    } else shown.push(secret ? "***" : quoted(withoutUser(word)));
  }
  return [spec.name, ...shown].join(" ");
}

export function shownDefault(row: Row<unknown>): string {
  const { default: value } = row;
  if (value === undefined || value === false || value === true) return "";
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function kebab(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}
