/** Chat templates of real models, as Python's Jinja2 renders them. */
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { checkTemplates, templateData } from "../../scripts/maintain/check/templates.ts";

const folder = templateData();

it.skipIf(!existsSync(folder))(
  "renders what Python renders, or says why not (skipped without TRAINYARD_DATA)",
  () => {
    const { equal, refused, errors, different, lenient } = checkTemplates(folder);
    expect(equal + refused + errors.length + different.length + lenient.length).toBe(2_940);
    // Floors: what was reached; they only go up.
    expect(equal).toBeGreaterThanOrEqual(2_512);
    expect(equal + refused).toBeGreaterThanOrEqual(2_933);
    expect(different).toEqual([]);
  },
);
