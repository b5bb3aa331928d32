/** Whose a file in the making is: processes that may not write the same at once say so beside it. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";

/** Milliseconds without a sign after which an owner on another machine is taken to have ended. */
const FORGOTTEN_MS = 3_600_000;
/** Milliseconds that an owner may take to say its name. */
const NAMELESS_MS = 5000;

/** What this process writes into `path`. */
export const ownerText = (): string =>
  [process.pid, hostname(), startOf(process.pid)].join(" ").trim();

/** When the system started a process, in its own units: another may be of the same number, as in a container started again. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields from the third on stand behind the name, which is in brackets.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined; // only Linux tells
  }
}

/** Does the process live that wrote `path`, or is it about to write it into `folder`? */
export function ownerLives(path: string, folder = path): boolean {
  const since = (): number => Date.now() - statSync(folder).mtimeMs;
  try {
    const [pid = "", host, started] = readFileSync(path, "utf8").split(" ");
    if (pid === "") return since() < NAMELESS_MS;
    if (host !== hostname()) return since() < FORGOTTEN_MS;
    const now = startOf(Number(pid));
    if (started !== undefined && now !== undefined && now !== started) return false;
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return existsSync(folder) && since() < NAMELESS_MS;
    return code === "EPERM"; // a process of another user
  }
}
