import type { HandleClientError } from '@sveltejs/kit';
import { Refusal } from '$lib/api/problem';

/** Words for what no page expects: an address without a page, a part of the pages that cannot be fetched, our own mistakes. */
export const handleError: HandleClientError = ({ error, status, message }) => {
    if (status === 404) return { message };
    if (isUnreachable(error)) return { message: Refusal.offline(error).message, offline: true };
    console.error(error);
    return { message: 'These pages have made a mistake, which the browser’s console describes. Reload them.' };
};

/** Browsers say in a TypeError that a script or a document did not come, and Vite in an Error that a style sheet did not. */
function isUnreachable(error: unknown): boolean {
    if (!navigator.onLine) return true;
    return error instanceof Error && /failed to fetch|importing a module|load failed|networkerror|preload css/i.test(error.message);
}
