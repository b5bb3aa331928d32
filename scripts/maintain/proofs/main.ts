/**
 * What the engine promises, measured: each proof prints its figures and whether
 * its claim holds.
 *
 *     npx tsx scripts/maintain/proofs/main.ts [name …]      all of them without a name
 */
import type { Proof } from "./proof.ts";

const PROOFS: Readonly<Record<string, () => Promise<{ readonly prove: Proof }>>> = Object.freeze({
  "rank-faults": () => import("./rank-faults.ts"),
  overlap: () => import("./overlap.ts"),
  invariance: () => import("./invariance.ts"),
  speculation: () => import("./speculation.ts"),
  storm: () => import("./storm.ts"),
  "long-prompt": () => import("./long-prompt.ts"),
  "kv-events": () => import("./kv-events.ts"),
});

export async function run(names: readonly string[]): Promise<number> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const chosen = names.length === 0 ? Object.keys(PROOFS) : names;
  let failed = 0;
  for (const name of chosen) {
    const load = PROOFS[name];
    if (load === undefined) {
      say(`Unknown proof "${name}"; known: ${Object.keys(PROOFS).join(", ")}.`);
      return 2;
    }
    say(`\n${name}`);
    const { prove } = await load();
    await prove({
      line: (text) => say(`  ${text}`),
      claim: (what, holds, seen) => {
        if (!holds) failed++;
        say(`  ${holds ? "holds" : "FAILS"}: ${what}: ${seen}`);
      },
    });
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await run(process.argv.slice(2));
