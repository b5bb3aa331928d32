/** `trainyard bench replay` (in the making). */
export async function run(_argv: readonly string[]): Promise<number> {
  throw new Error("bench replay is not built yet.");
}
