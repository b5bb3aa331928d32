/** The text of a custom tool, read from the arguments of the function it is shown as. */
import { isFields } from "./fields.ts";
import { CUSTOM_INPUT } from "./tools.ts";

/**
 * `whole`: all has come; what is no object with the text is the text itself. Else the
 * part of the text that is sure, which later parts only lengthen.
 */
export function customInput(args: string, whole: boolean): string {
  if (whole) {
    const value = parsed(args);
    const input = isFields(value) ? value[CUSTOM_INPUT] : undefined;
    return typeof input === "string" ? input : args;
  }
  const begun = BEGUN.exec(args)?.[1];
  if (begun === undefined) return "";
  const input = parsed(`"${begun}"`);
  // A pair of surrogates may be cut in two.
  return typeof input === "string" ? input.replace(/[\ud800-\udbff]$/, "") : "";
}

/** Up to an escape that is cut in two. */
const BEGUN = new RegExp(
  `^\\s*\\{\\s*"${CUSTOM_INPUT}"\\s*:\\s*"((?:[^"\\\\]|\\\\(?:["\\\\/bfnrt]|u[\\da-fA-F]{4}))*)`,
);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
