/** `--lora-modules`: adapters to begin with, as `name=path` or as JSON. */
import { isObject } from "../http/shape/python.ts";
import { SettingsError } from "../settings/error.ts";
import type { AdapterAsked } from "./registry.ts";

/** Throws SettingsError naming what is wrong. */
export function readModules(given: readonly string[]): readonly AdapterAsked[] {
  return given.map((text) => {
    if (text.trimStart().startsWith("{")) return fromJson(text);
    const [name = "", path = "", ...more] = text.split("=");
    if (name === "" || path === "" || more.length > 0) {
      throw new SettingsError(
        `--lora-modules takes name=path or JSON with name and path, not ${JSON.stringify(text)}.`,
      );
    }
    return { name, path };
  });
}

function fromJson(text: string): AdapterAsked {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SettingsError(`--lora-modules: ${JSON.stringify(text)} is no JSON.`);
  }
  const { name, path, base_model_name: base } = isObject(value) ? value : {};
  if (typeof name !== "string" || typeof path !== "string" || name === "" || path === "") {
    throw new SettingsError(`--lora-modules: ${JSON.stringify(text)} lacks name or path.`);
  }
  return { name, path, ...(typeof base === "string" && { base }) };
}
