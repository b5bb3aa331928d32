/** What is wrong with a body's shape, found and printed as pydantic and vLLM do. */
import { isObject, PyNumber, pyFloat, pyRepr, pyStr, pyType } from "./python.ts";
import { shorten } from "./shorten.ts";

export interface Complaint {
  readonly type: string;
  readonly message: string;
  /** Field names, indices, and of a union's branch the name of its model. */
  readonly path: readonly (string | number)[];
  readonly input: unknown;
  readonly context?: Readonly<Record<string, unknown>>;
}

/** Complaints that are printed; all are counted. */
const REPORTED = 10;

/** Keeps so many complaints and counts the rest: a list of bad items must not cost memory. */
export class Complaints {
  readonly path: (string | number)[] = [];
  readonly #kept: Complaint[] = [];
  readonly #most: number;
  #count = 0;

  constructor(most = REPORTED) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  get kept(): readonly Complaint[] {
    return this.#kept;
  }

  add(complaint: Omit<Complaint, "path">, field?: string): void {
    this.#count++;
    if (this.#kept.length >= this.#most) return;
    const path = field === undefined ? [...this.path] : [...this.path, field];
    this.#kept.push({ ...complaint, path });
  }
}

/** The message and the parameter of vLLM's answer to a body of the wrong shape. */
export function bodyErrors(
  complaints: Complaints,
  where: "body" | "query" = "body",
): { message: string; param: string } {
  const { kept, count } = complaints;
  const plural = count === 1 ? "error" : "errors";
  const lines = kept.map(
    (one) =>
      `  ${shorten(
        pyRepr({
          type: one.type,
          loc: location(where, one.path),
          msg: one.message,
          input: summary(one.input),
          ...(one.context !== undefined && { ctx: one.context }),
        }),
        1000,
      )}\n`,
  );
  const more = count > kept.length ? `  ...and ${count - kept.length} more ${plural}\n` : "";
  return {
    message: `${count} validation ${plural}:\n${lines.join("")}${more}`.trimEnd(),
    param: location(where, kept[0]?.path ?? []),
  };
}

/** Words of pydantic's own paths, which vLLM takes out; fields of such names go with them. */
const WRAPPERS: ReadonlySet<string> = new Set(
  "function-wrap function-after function-before function-plain json-or-python lax-or-strict chain default nullable tagged-union union call arguments is-instance is-subclass callable str int float bool bytes bytearray list tuple dict set frozenset complex none nonetype".split(
    " ",
  ),
);

function location(where: string, path: readonly (string | number)[]): string {
  const shown = path.filter(
    (part) => !/[[\]{}()]/.test(String(part)) && !WRAPPERS.has(String(part).toLowerCase()),
  );
  return [where, ...shown].join(".");
}

/** Of a container its size, of a scalar its text. */
function summary(input: unknown): string {
  if (Array.isArray(input)) return `<list of ${input.length} items>`;
  if (isObject(input)) return `<dict of ${Object.keys(input).length} items>`;
  return shorten(pyStr(input), 200);
}

/** The complaints as pydantic's own exception reads. */
export function pydanticText(complaints: Complaints, title: string): string {
  const { kept, count } = complaints;
  const lines = kept.map(({ type, message, path, input }) => {
    const shown = `input_value=${middleCut(pyRepr(input))}, input_type=${pyType(input)}`;
    return `${path.join(".")}\n  ${message} [type=${type}, ${shown}]\n    For further information visit https://errors.pydantic.dev/2.14/v/${type}`;
  });
  return [`${count} validation error${count === 1 ? "" : "s"} for ${title}`, ...lines].join("\n");
}

function middleCut(text: string): string {
  const begin = [...text.slice(0, 2 * 51)];
  if (begin.length <= 50) return text;
  const end = [...text.slice(-2 * 25)];
  return `${begin.slice(0, 25).join("")}...${end.slice(-24).join("")}`;
}

/** A bound as it is printed: of integers whole, of floats with a point. */
export function bound(value: number, whole: boolean): number | PyNumber {
  return whole ? value : new PyNumber(pyFloat(value), true);
}
