/**
 * Does a template walk over a message's content parts, or print content as a
 * string? vLLM's `--chat-template-content-format auto` asks the same: a `for`
 * over `message.content`, or over a variable that was set from it.
 */
import { isObject } from "../config.ts";

const verdicts = new WeakMap<object, boolean>();

/** True: messages keep their lists of parts. False: they are joined to a string first. */
export function loopsOverContent(program: object): boolean {
  const known = verdicts.get(program);
  if (known !== undefined) return known;
  const names = new Set<string>();
  let loops = false;
  // Twice: a macro may be written before the variable it loops over is set.
  for (let pass = 0; pass < 2 && !loops; pass++)
    walk(program, (node) => {
      if (node["type"] === "Set") collect(node, names);
      if (node["type"] === "For" && isContent(node["iterable"], names)) loops = true;
    });
  verdicts.set(program, loops);
  return loops;
}

function collect(set: Readonly<Record<string, unknown>>, names: Set<string>): void {
  const { assignee, value } = set;
  if (isObject(assignee) && assignee["type"] === "Identifier" && isContent(value, names))
    names.add(String(assignee["value"]));
}

/** Is the expression `x.content`, `x['content']`, a name set from one, or such a one filtered? */
function isContent(node: unknown, names: ReadonlySet<string>): boolean {
  if (!isObject(node)) return false;
  switch (node["type"]) {
    case "Identifier":
      return names.has(String(node["value"]));
    case "MemberExpression": {
      const property = node["property"];
      return isObject(property) && property["value"] === "content";
    }
    case "FilterExpression":
      return isContent(node["operand"], names);
    case "SelectExpression":
      return isContent(node["lhs"], names);
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
