/**
 * Settings from the command line, a YAML file and the environment, in this order
 * of precedence, over the defaults of settings/table.ts.
 */
import { type Output, readCommandLine } from "./settings/command-line.ts";
import { readConfigFile } from "./settings/config-file.ts";
import { environmentText } from "./settings/environment.ts";
import { SettingsError } from "./settings/error.ts";
import { ROWS, unsupported } from "./settings/flags.ts";
import { helpOn } from "./settings/help.ts";
import { REFUSED } from "./settings/refused.ts";
import type { Settings } from "./settings/table.ts";
import { isHarmless } from "./settings/unsupported.ts";

export interface ParsedSettings {
  readonly settings: Settings;
  /** One line for each flag that was taken without effect. */
  readonly warnings: readonly string[];
  /** Flags that were given, as opposed to left at their defaults. */
  readonly given: ReadonlySet<string>;
}

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
  const cli = readCommandLine(argv, output);
  const path = cli.get("config");
  const file = path === undefined ? new Map<string, string>() : readConfigFile(path);
  const texts = new Map([...file, ...cli]);
  const warnings = judge(texts);
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const [flag, row] of ROWS) {
    const said = texts.get(flag);
    const text = said ?? environmentText(row, env);
    if (text === undefined) {
      values[flag] = row.default;
      continue;
    }
    given.add(flag);
    try {
      values[flag] = row.parse(text);
    } catch (error) {
      const got = row.secret === true ? "" : `, got ${text === "" ? '""' : text}`;
      const name = said === undefined ? row.env : `--${flag}`;
      throw new SettingsError(`${name} ${(error as Error).message}${got}.`); // rows throw Errors only
    }
  }
  const key = env["VLLM_API_KEY"];
  if (key) values["api-key"] = [...(values["api-key"] as readonly string[]), key]; // a list row
  const settings = values as Settings; // every row was filled in above
  checkTogether(settings);
  return { settings: withSpeculation(settings), warnings, given };
}

/** Warnings of flags without effect. Throws SettingsError for those that are refused. */
function judge(texts: ReadonlyMap<string, string>): string[] {
  const warnings: string[] = [];
  for (const [flag, text] of texts) {
    const known = unsupported(flag);
    if (known === undefined || isHarmless(known, text)) continue;
    if (Object.hasOwn(REFUSED, flag)) {
      throw new SettingsError(`--${flag} is not supported: ${known.why}.`);
    }
    warnings.push(`--${flag} has no effect: ${known.why}.`);
  }
  return warnings;
}

/** Pairs that mean nothing alone. */
function checkTogether(settings: Settings): void {
  const alone = [
    ["ssl-keyfile", "ssl-certfile"],
    ["ssl-certfile", "ssl-keyfile"],
    ["ssl-ca-certs", "ssl-certfile"],
  ] as const;
  for (const [flag, other] of alone) {
    if (settings[flag] !== undefined && settings[other] === undefined) {
      throw new SettingsError(
        `--${flag} is given without --${other}; HTTPS needs both a key and a certificate.`,
      );
    }
  }
  if (settings["collect-detailed-traces"].length > 0 && !settings["otlp-traces-endpoint"]) {
    throw new SettingsError("--collect-detailed-traces requires --otlp-traces-endpoint to be set.");
  }
  for (const [flag, other] of [
    ["record-from", "record"],
    ["record", "record-from"],
  ] as const) {
    if (settings[flag] !== undefined && settings[other] === undefined) {
      throw new SettingsError(`--${flag} is given without --${other}.`);
    }
  }
  if (settings["record-from"] !== undefined && settings.matches !== undefined) {
    throw new SettingsError("--record-from and --matches: record first, then answer; give one.");
  }
  if (settings["fingerprint-mode"] === "custom" && settings["fingerprint-value"] === undefined) {
    throw new SettingsError("--fingerprint-mode custom needs --fingerprint-value.");
  }
}

const PARTS = {
  "spec-method": "method",
  "spec-model": "model",
  "spec-tokens": "num_speculative_tokens",
} as const;

/** `--spec-method` and its kin are keys of `--speculative-config`. */
function withSpeculation(settings: Settings): Settings {
  const config: Record<string, unknown> = { ...settings["speculative-config"] };
  let touched = settings["speculative-config"] !== undefined;
  for (const [flag, key] of Object.entries(PARTS)) {
    const value = settings[flag as keyof typeof PARTS]; // the table's own keys
    if (value === undefined) continue;
    if (key in config) {
      throw new SettingsError(`--${flag} and the key "${key}" of --speculative-config: give one.`);
    }
    config[key] = value;
    touched = true;
  }
  return touched ? { ...settings, "speculative-config": config } : settings;
}
