import { type Lines, numbered } from "../lines.ts";

/** Rows of a CSV file with a header line, by column name, with their lines' numbers. Quoted fields may hold commas. */
export async function* csvRows(
  lines: Lines,
  required: readonly string[],
): AsyncGenerator<readonly [Record<string, string>, number]> {
  let header: string[] | undefined;
  for await (const [text, line] of numbered(lines)) {
    const cells = fields(text);
    if (header === undefined) {
      header = cells.map((name) => name.trim());
      check(header, required);
      continue;
    }
    yield [
      Object.fromEntries(header.map((name, index) => [name, (cells[index] ?? "").trim()])),
      line,
    ];
  }
  if (header === undefined) check([], required);
}

function check(header: readonly string[], required: readonly string[]): void {
  for (const name of required) {
    if (!header.includes(name)) {
      throw new Error(`The CSV has no column "${name}"; it has ${header.join(", ") || "none"}.`);
    }
  }
}

/** A non-negative whole number. Throws with the column and the row's number in the file. */
export function count(row: Readonly<Record<string, string>>, column: string, line: number): number {
  const value = Number(row[column]);
  if (!Number.isInteger(value) || value < 0) {
    throw new Error(`Line ${line}: ${column} is "${row[column] ?? ""}", not a token count.`);
  }
  return value;
}

function fields(line: string): string[] {
  if (!line.includes('"')) return line.split(",");
  const out: string[] = [];
  for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    out.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
  }
  return out;
}
