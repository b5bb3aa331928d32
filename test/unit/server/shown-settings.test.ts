import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../server/config.ts";
import { shapingSettings, shownSettings } from "../../../server/settings/shown.ts";
import { TABLE } from "../../../server/settings/table.ts";

describe("settings that may be shown", () => {
  const of = (...argv: string[]) => parseSettings(argv).settings;

  it("leave out every secret row", () => {
    const secrets = Object.entries(TABLE).filter(([, row]) => "secret" in row && row.secret);
    expect(secrets.map(([flag]) => flag)).toContain("api-key");
    const shown = shownSettings(of("--api-key", "sk-1", "--port", "9"));
    expect(JSON.stringify(shown)).not.toContain("sk-1");
    expect(shown["port"]).toBe(9);
  });

  it("shape the fingerprint only where they shape an answer", () => {
    const base = JSON.stringify(shapingSettings(of()));
    const same = [
      ["--api-key", "sk-1"],
      ["--port", "9"],
      ["--log-level", "debug"],
      ["--host", "0.0.0.0"],
      ["--uds", "/tmp/x"],
      ["--disable-access-log"],
    ];
    for (const argv of same) expect(JSON.stringify(shapingSettings(of(...argv)))).toBe(base);
    for (const argv of [
      ["--seed", "7"],
      ["--max-num-seqs", "3"],
      ["--quantization", "int8"],
    ]) {
      expect(JSON.stringify(shapingSettings(of(...argv)))).not.toBe(base);
    }
  });

  it("are not repeated by an error about a secret", () => {
    expect(() => parseSettings(["--api-key", "[sk-1"])).toThrow("--api-key");
    try {
      parseSettings(["--api-key", "[sk-1"]);
    } catch (error) {
      expect(String(error)).not.toContain("sk-1");
    }
  });
});
