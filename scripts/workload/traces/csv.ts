/** Rows of a CSV file with a header line, by column name. Quoted fields may hold commas. */
export function csvRows(text: string, required: readonly string[]): Record<string, string>[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const header = fields(lines[0] ?? "").map((name) => name.trim());
  for (const name of required) {
    if (!header.includes(name)) {
      throw new Error(`The CSV has no column "${name}"; it has ${header.join(", ") || "none"}.`);
    }
  }
  return lines.slice(1).map((line) => {
    const cells = fields(line);
    return Object.fromEntries(header.map((name, index) => [name, (cells[index] ?? "").trim()]));
  });
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
