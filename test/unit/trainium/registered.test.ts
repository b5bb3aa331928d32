import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectPath } from "../../../models/weights/project-files.ts";
import { changed, register } from "../../../scripts/maintain/register.ts";

const FOLDER = projectPath("device", "trainium", "validation", "registered");
const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));

describe("registered predictions", () => {
  it("are what was registered: none was written again, none is gone", () => {
    expect(files.length).toBeGreaterThan(0);
    expect(changed(FOLDER)).toEqual([]);
  });

  it.each(files)("%s has its date, its constants and a band at every point", (file) => {
    const its = JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
    expect(file.startsWith(`${its.date}-`)).toBe(true);
    expect(its.constants).toMatch(/^[0-9a-f]{16}$/);
    for (const { bands, points } of its.curves) {
      expect(bands.serving.factor).toBeGreaterThan(1);
      for (const { tokensPerUser, tokensPerUserBand: band } of points) {
        expect(band[0]).toBeLessThan(tokensPerUser);
        expect(band[1]).toBeGreaterThan(tokensPerUser);
      }
    }
  });

  it("can be written once, and a change is noticed", () => {
    const folder = mkdtempSync(join(tmpdir(), "registered-"));
    try {
      register(folder, "2026-01-01-a.json", "{}\n");
      expect(() => register(folder, "2026-01-01-a.json", "[]\n")).toThrow(/EEXIST/);
      expect(changed(folder)).toEqual([]);
      appendFileSync(join(folder, "2026-01-01-a.json"), " ");
      writeFileSync(join(folder, "2026-01-02-b.json"), "{}");
      expect(changed(folder)).toEqual(["2026-01-01-a.json", "2026-01-02-b.json"]);
      rmSync(join(folder, "2026-01-01-a.json"));
      expect(changed(folder)).toEqual(["2026-01-02-b.json", "2026-01-01-a.json"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
