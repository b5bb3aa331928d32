/**
 * Settings from the command line, a YAML file and the environment, in this order
 * of precedence, over the defaults of settings/table.ts. As in vLLM: dashes and
 * underscores are equal, `--no-x` turns a switch off, a JSON flag may be given in
 * parts (`--speculative-config.method ngram`).
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { parse as parseYaml } from "yaml";
import type { Row } from "./settings/row.ts";
import { type Flag, type Settings, TABLE } from "./settings/table.ts";
import { ACCEPTED, REFUSED } from "./settings/unsupported.ts";

/** A command line that cannot be served; `message` is one clear line. */
export class SettingsError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.name = "SettingsError";
    this.exitCode = exitCode;
  }
}

export interface ParsedSettings {
  readonly settings: Settings;
  /** One line for each flag that was taken without effect. */
  readonly warnings: readonly string[];
  /** Flags that were given, as opposed to left at their defaults. */
  readonly given: ReadonlySet<string>;
}

interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const ROWS = Object.entries(TABLE) as readonly (readonly [Flag, Row<unknown>])[]; // the table's own keys

/** Throws SettingsError; with exit code 0 when help was asked for and printed. */
export function parseSettings(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  output: Output = { out: () => {}, err: () => {} },
): ParsedSettings {
  const topic = argv.find((word) => word.startsWith("--help="))?.slice("--help=".length);
  if (topic !== undefined) {
    output.out(helpOn(topic, output));
    throw new SettingsError("help", 0);
  }
  const command = buildCommand(output);
  const { plain, dotted } = splitDotted(argv);
  try {
    command.parse([...plain], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      throw new SettingsError(error.message.replace(/^error: /, ""), error.exitCode === 0 ? 0 : 2);
    }
    throw error;
  }
  const cli = new Map<string, string>();
  for (const [name, value] of Object.entries(command.opts<Record<string, unknown>>())) {
    cli.set(kebab(name), asText(value));
  }
  const positional = command.args[0];
  if (positional !== undefined) cli.set("model", positional);
  for (const [flag, parts] of dotted) cli.set(flag, mergeDotted(flag, cli.get(flag), parts));

  const configPath = cli.get("config");
  const file = configPath === undefined ? new Map<string, string>() : readConfig(configPath);
  const warnings: string[] = [];
  for (const flag of [...cli.keys(), ...file.keys()]) {
    const refused = REFUSED[flag];
    if (refused !== undefined)
      throw new SettingsError(`--${flag} is not supported: ${refused.why}.`);
    const accepted = ACCEPTED[flag];
    if (accepted !== undefined) warnings.push(`--${flag} has no effect: ${accepted.why}.`);
  }
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const [flag, row] of ROWS) {
    const text = cli.get(flag) ?? file.get(flag) ?? (row.env ? env[row.env] : undefined);
    if (text === undefined) {
      values[flag] = row.default;
      continue;
    }
    given.add(flag);
    try {
      values[flag] = row.parse(text);
    } catch (error) {
      const got = row.secret === true ? "" : `, got ${text}`;
      throw new SettingsError(`--${flag} ${(error as Error).message}${got}.`); // rows throw Errors only
    }
  }
  const key = env["VLLM_API_KEY"];
  if (key) values["api-key"] = [...(values["api-key"] as readonly string[]), key]; // a list row
  return { settings: values as Settings, warnings, given }; // every row was filled in above
}

/** `--help=all`, `--help=Engine`, `--help=max-num-seqs`. */
function helpOn(topic: string, output: Output): string {
  if (topic === "all") return buildCommand(output).helpInformation();
  const name = topic.replace(/^--/, "").replaceAll("_", "-");
  const found = ROWS.filter(
    ([flag, row]) => flag === name || row.group.toLowerCase() === topic.toLowerCase(),
  );
  if (found.length > 0) {
    return found
      .map(([flag, row]) => {
        const parts = [`(default: ${shownDefault(row) || "none"})`, row.env && `(env: ${row.env})`];
        return `${plainSpelling(flag, row)}\n    ${[row.sentence, ...parts].filter(Boolean).join(" ")}\n`;
      })
      .join("");
  }
  const why = (ACCEPTED[name] ?? REFUSED[name])?.why;
  if (why !== undefined) {
    return `--${name}\n    ${name in REFUSED ? "Not supported" : "Without effect"}: ${why}.\n`;
  }
  const groups = [...new Set(ROWS.map(([, row]) => row.group))].join(", ");
  throw new SettingsError(`--help=${topic}: neither a flag nor a group; groups: ${groups}.`);
}

/** SETTINGS.md. */
export function settingsTable(): string {
  const lines = ["# Settings", "", "Printed from `server/settings/`; a test compares."];
  for (const group of new Set(ROWS.map(([, row]) => row.group))) {
    lines.push("", `## ${group}`, "", "| flag | default | meaning |", "|---|---|---|");
    for (const [flag, row] of ROWS) {
      if (row.group !== group) continue;
      const env = row.env ? ` (env ${row.env})` : "";
      lines.push(
        `| \`${plainSpelling(flag, row).replaceAll("|", "\\|")}\` | ${shownDefault(row)} | ${row.sentence.replaceAll("|", "\\|")}${env} |`,
      );
    }
  }
  const rest = (title: string, flags: typeof ACCEPTED) => {
    lines.push("", `## ${title}`, "", "| flag | why |", "|---|---|");
    for (const [flag, { why }] of Object.entries(flags)) lines.push(`| \`--${flag}\` | ${why} |`);
  };
  rest("Flags of vLLM taken with a warning", ACCEPTED);
  rest("Flags of vLLM that are refused", REFUSED);
  return `${lines.join("\n")}\n`;
}

function buildCommand({ out, err }: Output): Command {
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
    const suffix = [
      shownDefault(row) === "" ? undefined : `default: ${shownDefault(row)}`,
      row.env && `env: ${row.env}`,
    ].filter(Boolean);
    const sentence = suffix.length === 0 ? row.sentence : `${row.sentence} (${suffix.join(", ")})`;
    const option = new Option(declaration(flag, row), sentence).helpGroup(`${row.group}:`);
    command.addOption(option);
    if (row.value === undefined) command.addOption(new Option(`--no-${flag}`).hideHelp());
  }
  for (const [flag, { takesValue }] of [...Object.entries(ACCEPTED), ...Object.entries(REFUSED)]) {
    command.addOption(new Option(takesValue ? `--${flag} <value>` : `--${flag}`).hideHelp());
    if (!takesValue) command.addOption(new Option(`--no-${flag}`).hideHelp());
  }
  return command;
}

function declaration(flag: string, row: Row<unknown>): string {
  if (row.value === undefined) return `--${flag}`;
  return row.many ? `--${flag} <value...>` : `--${flag} <value>`;
}

function plainSpelling(flag: string, row: Row<unknown>): string {
  const short = row.short === undefined ? "" : `, ${row.short}`;
  return row.value === undefined ? `--${flag}` : `--${flag} ${row.value}${short}`;
}

function shownDefault(row: Row<unknown>): string {
  const value = row.default;
  if (value === undefined) return "";
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? value.join(" ") : JSON.stringify(value);
  }
  return value === "" ? "" : String(value);
}

const SHORT = new Map(
  ROWS.flatMap(([flag, row]) => (row.short === undefined ? [] : [[row.short, flag] as const])),
);

/** `--a_b=1` → `--a-b=1`, `-tp` → its long form; dotted flags apart. */
function splitDotted(argv: readonly string[]) {
  const plain: string[] = [];
  const dotted = new Map<string, [path: string, value: string][]>();
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") {
      plain.push(...argv.slice(index));
      break;
    }
    const [short, attached] = splitOnce(word, "=");
    const long = SHORT.get(short);
    if (!word.startsWith("--") && long === undefined) {
      plain.push(word);
      continue;
    }
    const name = (long === undefined ? short.slice(2) : long).replaceAll("_", "-");
    const [flag, path] = splitOnce(name, ".");
    if (path === undefined) {
      plain.push(attached === undefined ? `--${name}` : `--${name}=${attached}`);
      continue;
    }
    const value = attached ?? argv[++index];
    if (value === undefined) throw new SettingsError(`--${name} needs a value.`);
    const parts = dotted.get(flag) ?? [];
    // Keys of the value keep their spelling: vLLM's are written with underscores.
    parts.push([short.slice(short.indexOf(".") + 1), value]);
    dotted.set(flag, parts);
  }
  for (const flag of dotted.keys()) {
    if (!isKnown(flag)) throw new SettingsError(`unknown option '--${flag}'`);
  }
  return { plain, dotted };
}

function mergeDotted(
  flag: string,
  base: string | undefined,
  parts: readonly (readonly [string, string])[],
): string {
  const root = base === undefined ? {} : jsonOrText(base);
  if (!isObject(root)) throw new SettingsError(`--${flag} must be a JSON object, got ${base}.`);
  for (const [path, text] of parts) {
    const keys = path.split(".").map((key) => key.replaceAll("-", "_"));
    let object = root;
    for (const key of keys.slice(0, -1)) {
      const inner = object[key];
      const next = isObject(inner) ? inner : {};
      object[key] = next;
      object = next;
    }
    object[keys.at(-1) ?? ""] = jsonOrText(text);
  }
  return JSON.stringify(root);
}

function readConfig(path: string): Map<string, string> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new SettingsError(`--config: cannot read ${path}.`);
  }
  let content: unknown;
  try {
    content = parseYaml(text);
  } catch (error) {
    throw new SettingsError(`--config: ${path} is not YAML: ${String((error as Error).message)}`); // yaml throws Errors
  }
  const values = new Map<string, string>();
  if (content === null || content === undefined) return values;
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new SettingsError(
      `--config: ${path} must hold one setting a line, such as "port: 8000".`,
    );
  }
  for (const [name, value] of Object.entries(content)) {
    const flag = name.replaceAll("_", "-");
    if (!isKnown(flag)) throw new SettingsError(`--config: unknown setting "${name}" in ${path}.`);
    if (value !== null && value !== undefined) values.set(flag, asText(value));
  }
  return values;
}

function asText(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isKnown(flag: string): boolean {
  return flag in TABLE || flag in ACCEPTED || flag in REFUSED;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function kebab(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
