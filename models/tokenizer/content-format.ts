/**
 * Does a template walk over a message's content parts, or print content as a
 * string? vLLM's `--chat-template-content-format auto` asks the same: is there a
 * `for` over `message.content`? As there, one inside a macro's argument is not seen.
 */
import { isObject } from "../config.ts";

/** True: messages keep their lists of parts. False: they are joined to a string first. */
export function loopsOverContent(program: object): boolean {
  let loops = false;
  walk(program, (node) => {
    if (node["type"] === "For" && isContent(node["iterable"])) loops = true;
  });
  return loops;
}

/** Is the expression `x.content`, `x['content']`, or such a one filtered or sliced? */
function isContent(node: unknown): boolean {
  if (!isObject(node)) return false;
  switch (node["type"]) {
    case "MemberExpression": {
      const property = node["property"];
      if (!isObject(property)) return false;
      return property["type"] === "SliceExpression"
        ? isContent(node["object"])
        : property["value"] === "content";
    }
    case "FilterExpression":
      return isContent(node["operand"]);
    case "SelectExpression":
      return isContent(node["lhs"]);
    default:
      return false;
  }
}

function walk(node: unknown, visit: (node: Readonly<Record<string, unknown>>) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit);
  } else if (isObject(node)) {
    if (typeof node["type"] === "string") visit(node);
    for (const value of Object.values(node)) walk(value, visit);
  }
}
