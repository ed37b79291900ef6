import type { ProblemLine } from '$lib/api/schema';

declare global {
    namespace App {
        interface Error {
            /** One sentence: what went wrong and what to do. */
            message: string;
            /** The request never reached the server. */
            offline?: boolean;
            errors?: readonly ProblemLine[];
            /** The address cannot be that of anything, whoever asks. */
            malformed?: boolean;
        }
    }
}
