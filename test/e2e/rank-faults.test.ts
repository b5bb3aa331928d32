/** Ranks are ended, made to throw and made to hang under load: nothing is lost, and /health tells. */
import { expect, it } from "vitest";
import { sameIds } from "../../scripts/maintain/proofs/proof.ts";
import { runWithFaults } from "../../scripts/maintain/proofs/rank-faults.ts";

it("loses no request and no id to faults of ranks", async () => {
  const plan = { requests: 30, maxTokens: 32, clients: 6, limit: 1.5, model: "models/tiny/llama" };
  const faults = ["terminate", "throw", "terminate", "hang"] as const;
  const undisturbed = await runWithFaults({ ...plan, faults: [] });
  const disturbed = await runWithFaults({ ...plan, faults });
  expect(undisturbed).toMatchObject({ lost: 0, failedSteps: 0 });
  expect(disturbed).toMatchObject({ lost: 0, faults: 4 });
  expect(disturbed.failedSteps).toBeGreaterThanOrEqual(4);
  expect(disturbed.ids.size).toBe(30);
  expect(sameIds(undisturbed.ids, disturbed.ids)).toBe(true);
  expect(disturbed.health.lies).toBe(0);
  expect(disturbed.health.rightlyBad).toBeGreaterThan(0);
  expect(disturbed.health.rightlyGood).toBeGreaterThan(0);
  expect(disturbed.health.hangsNoticed).toHaveLength(1);
});
