/** Runs a command of the bin in this process, and catches what it prints. */
import { vi } from "vitest";

export interface Ran {
  readonly code: number;
  readonly text: string;
}

export async function runCommand(
  command: { run(argv: readonly string[]): Promise<number> },
  line: string | readonly string[],
): Promise<Ran> {
  const argv = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  let text = "";
  const take = (chunk: unknown): boolean => {
    text += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(take),
    vi.spyOn(process.stderr, "write").mockImplementation(() => true),
  ];
  try {
    return { code: await command.run(argv), text };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Figures of the table's line that begins with a word. */
export function figuresOf(text: string, begins: RegExp): readonly number[] {
  const line = text.split("\n").find((its) => begins.test(its));
  if (line === undefined) throw new Error(`No line ${String(begins)} in:\n${text}`);
  return [...line.replace(begins, "").matchAll(/-?\d[\d,]*(?:\.\d+)?/g)].map(([its]) =>
    Number(its.replaceAll(",", "")),
  );
}
