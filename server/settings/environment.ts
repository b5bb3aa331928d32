/** What variables of the environment say of settings. */
import type { Row } from "./row.ts";

/** Undefined: nothing, as an empty variable says. Switches are numbers in vLLM: any but 0 is on. */
export function environmentText(
  { env: name, value }: Row<unknown>,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const text = name && env[name];
  if (!text) return undefined;
  const number = value === undefined && /^\s*[+-]?\d+\s*$/.test(text);
  return number ? String(Number(text) !== 0) : text;
}
