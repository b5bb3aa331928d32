/** An object of a body whose fields are looked at one by one. */
import { badRequest } from "../../http/errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const noSuchChoice = () =>
  badRequest("Tool choice 'function' not found in 'tools' parameter.", "tool_choice");
