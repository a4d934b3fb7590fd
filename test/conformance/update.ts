/** Writes the conformance tables into the source tree. */

import * as fs from "node:fs";
import * as path from "node:path";
import { conformanceTables } from "./vectors";

const folder = path.join(process.env.BUILD_WORKSPACE_DIRECTORY ?? ".", "test/conformance");
for (const [name, text] of conformanceTables()) fs.writeFileSync(path.join(folder, name), text);
