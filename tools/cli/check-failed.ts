/** A check that the user asked for found what it looks for: exit code 3. */

import { UserError } from "../diagnostics/diagnostic";

export class CheckFailed extends UserError {}
