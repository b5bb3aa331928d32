/** `--config`: a YAML file whose keys are flags, as vLLM reads it: also `no-…` keys, lists and nested objects. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { asText } from "./command-line.ts";
import { SettingsError } from "./error.ts";
import { isKnown, isSwitch } from "./flags.ts";
import { isPlainObject, jsonOrText, mergePart } from "./parts.ts";

/** Texts by flag, as on a command line. Throws SettingsError naming the file. */
export function readConfigFile(path: string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(readYaml(path))) {
    if (value === null || value === undefined) continue;
    const [head = "", ...below] = name.split(".");
    const flag = head.replaceAll("_", "-");
    const positive = flag.startsWith("no-") ? flag.slice(3) : flag;
    if (below.length > 0 && isKnown(flag)) {
      const root = jsonOrText(texts.get(flag) ?? "{}");
      if (!isPlainObject(root)) throw new SettingsError(`--config: "${head}" is no object.`);
      mergePart(root, [below.join("."), asText(value)]);
      texts.set(flag, JSON.stringify(root));
    } else if (isKnown(flag)) {
      texts.set(flag, asText(value));
    } else if (positive !== flag && isSwitch(positive)) {
      texts.set(positive, negated(name, value, path));
    } else {
      throw new SettingsError(`--config: unknown setting "${name}" in ${path}.`);
    }
  }
  return texts;
}

function negated(name: string, value: unknown, path: string): string {
  if (typeof value === "boolean") return String(!value);
  throw new SettingsError(
    `--config: "${name}" in ${path} must be true or false, got ${asText(value)}.`,
  );
}

function readYaml(path: string): Record<string, unknown> {
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
  if (content === null || content === undefined) return {};
  if (isPlainObject(content)) return content;
  throw new SettingsError(`--config: ${path} must hold one setting a line, such as "port: 8000".`);
}
