/**
 * A command line as vLLM's users write it, to the text of each flag: dashes and
 * underscores are equal, short spellings (`-tp 2`, `-O3`), `--no-x`, and a JSON
 * flag in parts (`--speculative-config.method ngram`, `-cc.custom_ops+ a,b`).
 */

import { Command, CommanderError, Option } from "commander";
import { entryAt } from "../entry-at.ts";
import { SettingsError } from "./error.ts";
import { isKnown, isSwitch, ROWS, SHORT, UNSUPPORTED } from "./flags.ts";
import { isPlainObject, jsonOrText, mergePart, type Part } from "./parts.ts";
import type { Row } from "./row.ts";

export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Texts by flag; a list of values is a JSON list. Throws SettingsError. */
export function readCommandLine(argv: readonly string[], output: Output): Map<string, string> {
  const command = buildCommand(output);
  const { plain, parts } = spellOut(argv);
  try {
    command.parse([...plain], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      throw new SettingsError(error.message.replace(/^error: /, ""), error.exitCode === 0 ? 0 : 2);
    }
    throw error;
  }
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(command.opts<Record<string, unknown>>())) {
    texts.set(kebab(name), asText(value));
  }
  const positional = command.args[0];
  if (positional !== undefined) texts.set("model", positional);
  for (const [flag, list] of parts) texts.set(flag, mergeParts(flag, texts.get(flag), list));
  return texts;
}

/** The command that knows every flag; its help shows those that have an effect. */
export function buildCommand({ out, err }: Output): Command {
  const command = new Command("trainyard serve")
    .description("Serves a model over HTTP, as vLLM does.")
    .argument("[MODEL]", "folder or catalogue id of the model")
    .addHelpOption(
      new Option("-h, --help", "This; --help=Engine: a group; --help=port: a flag.").helpGroup(
        "Help:",
      ),
    )
    .addHelpText(
      "after",
      "\nWhat is on by default is turned off by --no-…, such as --no-enable-prefix-caching.",
    )
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: () => err("") })
    .showSuggestionAfterError(true);
  for (const [flag, row] of ROWS) {
    const option = new Option(declaration(flag, row), describe(row)).helpGroup(`${row.group}:`);
    command.addOption(option);
    if (row.value === undefined) command.addOption(new Option(`--no-${flag}`).hideHelp());
  }
  const forms = { nothing: "", value: " <value>", values: " <value...>" };
  for (const [flag, { takes }] of UNSUPPORTED) {
    command.addOption(new Option(`--${flag}${forms[takes]}`).hideHelp());
    if (takes === "nothing") command.addOption(new Option(`--no-${flag}`).hideHelp());
  }
  return command;
}

function declaration(flag: string, row: Row<unknown>): string {
  if (row.value === undefined) return `--${flag}`;
  return row.many ? `--${flag} <value...>` : `--${flag} <value>`;
}

function describe(row: Row<unknown>): string {
  const shown = shownDefault(row);
  const notes = [shown && `default: ${shown}`, row.env && `env: ${row.env}`].filter(Boolean);
  return notes.length === 0 ? row.sentence : `${row.sentence} (${notes.join(", ")})`;
}

/** A row's default as help shows it; empty: there is none. */
export function shownDefault(row: Row<unknown>): string {
  const value = row.default;
  if (value === undefined) return "";
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? value.join(" ") : JSON.stringify(value);
  }
  return value === "" ? "" : String(value);
}

/** Every word in its long spelling; parts of JSON flags apart. */
function spellOut(argv: readonly string[]) {
  const plain: string[] = [];
  const parts = new Map<string, Part[]>();
  for (let index = 0; index < argv.length; index++) {
    const word = entryAt(argv, index);
    if (word === "--") {
      plain.push(...argv.slice(index));
      break;
    }
    const { name, attached } = longForm(word);
    if (name === undefined) {
      plain.push(word);
      continue;
    }
    const [flag, path] = splitOnce(name, ".");
    if (path === undefined) {
      const spelt = `--${flag.replaceAll("_", "-")}`;
      plain.push(attached === undefined ? spelt : `${spelt}=${attached}`);
      continue;
    }
    const value = attached ?? argv[++index];
    if (value === undefined) throw new SettingsError(`--${name} needs a value.`);
    const key = flag.replaceAll("_", "-");
    if (!isKnown(key)) throw new SettingsError(`unknown option '--${key}'`);
    if (isSwitch(key)) throw new SettingsError(`--${key} has no parts.`);
    parts.set(key, [...(parts.get(key) ?? []), [path, value]]);
  }
  return { plain, parts };
}

/** `-tp=2` → tensor-parallel-size and 2; no name: the word is a value. */
function longForm(word: string): { readonly name?: string; readonly attached?: string } {
  const level = /^-O=?([^=.].*)$/.exec(word)?.[1];
  if (level !== undefined) return { name: "optimization-level", attached: level };
  const [head, attached] = splitOnce(word, "=");
  const rest = attached === undefined ? {} : { attached };
  if (head.startsWith("--")) return { name: head.slice(2), ...rest };
  const [short, path] = splitOnce(head, ".");
  const flag = SHORT.get(short);
  if (flag === undefined) return {};
  return { name: path === undefined ? flag : `${flag}.${path}`, ...rest };
}

function mergeParts(flag: string, base: string | undefined, parts: readonly Part[]): string {
  const root = base === undefined ? {} : jsonOrText(base);
  if (!isPlainObject(root)) {
    throw new SettingsError(`--${flag} must be a JSON object, got ${base}.`);
  }
  for (const part of parts) mergePart(root, part);
  return JSON.stringify(root);
}

export function asText(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function kebab(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
