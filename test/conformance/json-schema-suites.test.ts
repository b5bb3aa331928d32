/** No schema that is enforced lets a value through that its suite calls invalid. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkSchemas, type SUITES, schemaData } from "../../scripts/maintain/check/schemas.ts";

/** Of the large suite every 40th schema is looked at here; scripts/maintain/check/schemas.ts looks at all. */
const PLAN = [
  { suite: "draft2020-12", every: 1, enforced: 387 },
  { suite: "draft7", every: 1, enforced: 277 },
  { suite: "maskbench", every: 40, enforced: 110 },
] as const satisfies readonly {
  readonly suite: keyof typeof SUITES;
  readonly every: number;
  readonly enforced: number;
}[];

describe("JSON schema suites (skipped without TRAINYARD_DATA)", () => {
  it.each(PLAN)("$suite: none wrong", ({ suite, every, enforced }) => {
    const file = schemaData(suite);
    if (!existsSync(file)) return;
    const found = checkSchemas(file, every);
    expect(found.wrong).toEqual([]);
    expect(found.enforced).toBeGreaterThanOrEqual(enforced);
  });
});
