/**
 * A cell's words. Rules take the phrases they understand; what is left at the end
 * was understood by none, and a row with such words has no price.
 */

/** A number of tokens, rows or requests as tables write it. */
export const COUNT = String.raw`\d[\d,]*(?:\.\d+)?\s?[kKmM]?(?![\w.]*\d)(?![A-Za-z])`;

/**
 * "10,000" → 10000. `K` is 1,024 where tables count in powers of two (1K, 8K, 12K, 128K), 1,000
 * elsewhere (10K, 1.5K). NaN when the text is no such number.
 */
export function countOf(text: string | undefined): number {
  const found = /^\s*(\d[\d,]*(?:\.\d+)?)\s?([kKmM]?)\s*$/.exec(text ?? "");
  if (found === null) return Number.NaN;
  const value = Number((found[1] ?? "").replace(/,/g, ""));
  const suffix = found[2]?.toLowerCase();
  if (suffix === "") return value;
  const binary = Number.isInteger(value) && [1, 3].includes(value / 2 ** twosIn(value));
  const thousand = binary ? 1024 : 1000;
  return suffix === "k" ? value * thousand : value * thousand ** 2;
}

function twosIn(value: number): number {
  let twos = 0;
  for (let rest = value; rest > 0 && rest % 2 === 0; rest /= 2) twos++;
  return twos;
}

/** Words that join others and say nothing of a set-up. */
const JOINING = new Set(
  (
    "a an the of with without and or on in at by per for to from x is are was only one its as per via " +
    "all each every both same this that then than using used use into over up about approx approximately ca"
  ).split(" "),
);

export class Words {
  /** The CSV's column, for messages. */
  readonly column: string;
  #text: string;

  constructor(column: string, text: string) {
    this.column = column;
    this.#text = text;
  }

  get text(): string {
    return this.#text;
  }

  has(pattern: RegExp): boolean {
    return pattern.test(this.#text);
  }

  /** The first match, which is then gone; undefined when there is none. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    const { index } = found;
    this.#text = `${this.#text.slice(0, index)} | ${this.#text.slice(index + found[0].length)}`;
    return found;
  }

  /** `take` as a yes or no, for every match. */
  takes(pattern: RegExp): boolean {
    let found = false;
    while (this.take(pattern) !== undefined) found = true;
    return found;
  }

  /** The first match's first group as a count. */
  count(pattern: RegExp): number | undefined {
    const found = this.take(pattern);
    if (found === undefined) return undefined;
    const value = countOf(found.slice(1).find((group) => group !== undefined));
    return Number.isFinite(value) ? value : undefined;
  }

  /** What no rule took, joining words apart. */
  left(): readonly string[] {
    const words = this.#text.match(/[\p{L}\p{N}][\p{L}\p{N}_.%'/]*/gu) ?? [];
    return words.filter((word) => !JOINING.has(word.toLowerCase()));
  }
}

/** What a row says that is understood and cannot be priced, or cannot be understood. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Throws naming the column and the words that no rule took. */
export function refuseUnread(words: readonly Words[]): void {
  const unread = words.flatMap((its) => {
    const left = its.left();
    return left.length === 0 ? [] : [`${its.column}: ${left.join(" ")}`];
  });
  if (unread.length > 0) throw new Refusal(`unread words (${unread.join("; ")})`);
}
