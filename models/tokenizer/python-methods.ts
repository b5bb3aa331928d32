/** Methods of Python's strings, lists and dicts that the template engine lacks. */
import {
  EMPTY,
  engineValue,
  type Helper,
  listOf,
  membersOf,
  repr,
  split,
  type Value,
  written,
} from "./engine-values.ts";

type Method = (
  self: Value,
  args: readonly Value[],
  named: ReadonlyMap<string, Value>,
) => Value | undefined;

/** Longest text that one call pads to. */
const WIDTH_LIMIT = 10_000;

const str = (value: Value | undefined, fallback = ""): string =>
  value === undefined ? fallback : String(value.value);
const plain = (make: (self: string, ...args: readonly string[]) => unknown): Method => {
  return (self, args) => engineValue(make(str(self), ...args.map((arg) => str(arg))));
};
const all = (pattern: RegExp): Method => plain((self) => pattern.test(self));

function pad(side: "start" | "end" | "both"): Method {
  return (self, [width, fill]) => {
    const text = str(self);
    const wanted = Math.min(Number(width?.value ?? 0), WIDTH_LIMIT);
    const space = Math.max(0, wanted - [...text].length);
    const one = str(fill, " ").slice(0, 1) || " ";
    const before = side === "start" ? space : side === "both" ? Math.floor(space / 2) : 0;
    return engineValue(one.repeat(before) + text + one.repeat(space - before));
  };
}

function around(last: boolean): Method {
  return plain((self, mark = "") => {
    const at = last ? self.lastIndexOf(mark) : self.indexOf(mark);
    if (at < 0) return last ? ["", "", self] : [self, "", ""];
    return [self.slice(0, at), mark, self.slice(at + mark.length)];
  });
}

function rsplit(self: Value, [mark, most]: readonly Value[]): Value {
  const parts = str(self).split(mark === undefined ? /\s+/ : str(mark));
  const count = most === undefined ? parts.length : Number(most.value);
  const keep = Math.max(0, parts.length - 1 - count);
  const head = parts.slice(0, keep + 1).join(mark === undefined ? " " : str(mark));
  return engineValue([head, ...parts.slice(keep + 1)]);
}

/** `'{} {name} {0:.2f}'.format(…)`. */
function braces(self: Value, args: readonly Value[], named: ReadonlyMap<string, Value>): Value {
  let next = 0;
  const made = str(self).replace(
    /\{\{|\}\}|\{([^{}:!.[\]]*)([^{}:!]*)(?:!([sr]))?(?::([^{}]*))?\}/g,
    (whole, name: string, path: string, kind: string | undefined, spec: string | undefined) => {
      if (whole === "{{" || whole === "}}") return whole.slice(1);
      const index = name === "" ? next++ : Number(name);
      let value = Number.isInteger(index) ? args[index] : named.get(name);
      for (const step of path.match(/[^.[\]]+/g) ?? []) value = inside(value, step);
      if (value === undefined) throw new Error(`format() lacks the argument "${name || index}"`);
      if (kind === "r") return repr(value);
      return spec ? specified(value, spec) : written(value);
    },
  );
  return engineValue(made);
}

function inside(value: Value | undefined, step: string): Value | undefined {
  if (value?.value instanceof Map) return value.value.get(step) as Value | undefined; // the engine's
  return Array.isArray(value?.value) ? (value.value[Number(step)] as Value | undefined) : undefined;
}

/** Part of the format mini-language: fill, alignment, width, precision, `d`, `f`, `s`, `,`. */
function specified(value: Value, spec: string): string {
  const match = /^(?:(.)?([<>^]))?(0?)(\d*)(,?)(?:\.(\d+))?([dfsx%]?)$/.exec(spec);
  if (match === null) throw new Error(`format() does not know "${spec}"`);
  const [, fill = " ", align, zero, width, comma, digits, kind] = match;
  let text = written(value);
  const number = Number(value.value);
  if (kind === "f") text = number.toFixed(Number(digits ?? 6));
  else if (kind === "%") text = `${(100 * number).toFixed(Number(digits ?? 6))}%`;
  else if (kind === "x") text = Math.trunc(number).toString(16);
  else if (digits !== undefined) text = text.slice(0, Number(digits));
  if (comma) text = text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const space = Math.max(0, Math.min(Number(width || 0), WIDTH_LIMIT) - text.length);
  if (zero) return "0".repeat(space) + text;
  const right = align === ">" || (align === undefined && typeof value.value === "number");
  const before = align === "^" ? Math.floor(space / 2) : right ? space : 0;
  return fill.repeat(before) + text + fill.repeat(space - before);
}

const STRINGS: Readonly<Record<string, Method>> = {
  join: (self, [values = EMPTY]) =>
    engineValue(
      membersOf(values)
        .map((one) => str(one))
        .join(str(self)),
    ),
  format: braces,
  partition: around(false),
  rpartition: around(true),
  rsplit,
  splitlines: plain((self) =>
    self.split(/\r\n|\r|\n/).filter((line, i, of) => line !== "" || i < of.length - 1),
  ),
  find: plain((self, part = "") => self.indexOf(part)),
  rfind: plain((self, part = "") => self.lastIndexOf(part)),
  index: (self, [part]) => {
    const at = str(self).indexOf(str(part));
    if (at < 0) throw new Error("substring not found");
    return engineValue(at);
  },
  count: plain((self, part = "") => self.split(part).length - 1),
  isdigit: all(/^\d+$/),
  isnumeric: all(/^\d+$/),
  isdecimal: all(/^\d+$/),
  isalpha: all(/^\p{L}+$/u),
  isalnum: all(/^[\p{L}\p{N}]+$/u),
  isspace: all(/^\s+$/),
  isupper: plain((self) => /\p{Lu}/u.test(self) && self === self.toUpperCase()),
  islower: plain((self) => /\p{Ll}/u.test(self) && self === self.toLowerCase()),
  casefold: plain((self) => self.toLowerCase()),
  swapcase: plain((self) =>
    Array.from(self, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join(""),
  ),
  removeprefix: plain((self, part = "") =>
    self.startsWith(part) ? self.slice(part.length) : self,
  ),
  removesuffix: plain((self, part = "") =>
    part !== "" && self.endsWith(part) ? self.slice(0, -part.length) : self,
  ),
  zfill: (self, [width]) => pad("start")(self, [width ?? EMPTY, engineValue("0")], new Map()),
  ljust: pad("end"),
  rjust: pad("start"),
  center: pad("both"),
};

/** None that changes a list: templates may not, as in transformers' sandbox. */
function listMethods(items: readonly Value[]): Readonly<Record<string, Method>> {
  const same = (a: Value, b: Value | undefined): boolean => repr(a) === (b && repr(b));
  return {
    index: (_, [item]) => {
      const at = items.findIndex((one) => same(one, item));
      if (at < 0) throw new Error("the value is not in the list");
      return engineValue(at);
    },
    count: (_, [item]) => engineValue(items.filter((one) => same(one, item)).length),
    copy: () => listOf([...items]),
  };
}

function dictMethods(entries: ReadonlyMap<unknown, Value>): Readonly<Record<string, Method>> {
  return {
    copy: (self) => self,
    cycle: (_, args) => args[Number(entries.get("index0")?.value ?? 0) % Math.max(1, args.length)],
  };
}

/** Names that are looked up here; what the engine has under them goes first. */
export const FURTHER_METHODS: ReadonlySet<string> = new Set([
  ...Object.keys(STRINGS),
  ...Object.keys(listMethods([])),
  ...Object.keys(dictMethods(new Map())),
]);

/** `value.name(…)`. */
export const invoked: Helper = ([self = EMPTY, name = EMPTY, ...rest], scope) => {
  const method = String(name.value);
  const own = self.value instanceof Map ? self.value.get(method) : undefined;
  const known = (own ?? self.builtins.get(method)) as Value | undefined; // the engine's
  if (typeof known?.value === "function") return known.value(rest, scope) as Value; // a function of the engine
  const { args, named } = split(rest);
  const made = methodsOf(self)[method]?.(self, args, named);
  if (made === undefined) throw new Error(`${self.type} has no method ${method}`);
  return made;
};

function methodsOf({ value }: Value): Readonly<Record<string, Method>> {
  if (typeof value === "string") return STRINGS;
  if (Array.isArray(value)) return listMethods(value as readonly Value[]); // lists of the engine hold its values
  return value instanceof Map ? dictMethods(value as ReadonlyMap<unknown, Value>) : {}; // as its dicts do
}

/** `'{}'.format(…)` of a literal. */
export const formatted: Helper = ([self = EMPTY, ...rest]) => {
  const { args, named } = split(rest);
  return braces(self, args, named);
};
