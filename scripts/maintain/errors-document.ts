/** server/ERRORS.md, printed from the table of errors: `tsx scripts/maintain/errors-document.ts`. */
import { writeFileSync } from "node:fs";
import { projectPath } from "../../models/weights/project-files.ts";
import { errorsTable } from "../../server/http/error-table.ts";

writeFileSync(projectPath("server", "ERRORS.md"), errorsTable());
