/** A command was told what it does not understand; cli.ts prints the message and exits with 2. */
export class UsageError extends Error {}

/** One line: commander's prefix taken off, the cause added (fetch hides it). */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message.replace(/^error: /, "")}${cause}`;
}
