/** Uploads that show how far they are and can be cancelled, which `fetch` cannot. */
import { Refusal, refusalOf } from './problem';

export interface Upload<T> {
    /** The answer's document; rejects with a {@link Refusal}, or {@link Cancelled}. */
    finished: Promise<T>;
    cancel: () => void;
}

/** The person cancelled. Nothing is to be said about it. */
export class Cancelled extends Error {}

export interface Sent {
    /** Bytes of `total` that have left. */
    sent: number;
    total: number;
}

let underWay = 0;

/** Whether something is on its way that ends when the page is left. */
export function isUploading(): boolean {
    return underWay > 0;
}

/** Sends `body`, and tells `onProgress` how far it is. `path` begins after `/api/v1`. */
export function upload<T>(
    method: 'POST' | 'PUT',
    path: string,
    body: FormData | Blob,
    headers: Record<string, string>,
    onProgress: (progress: Sent) => void,
): Upload<T> {
    const request = new XMLHttpRequest();
    const finished = new Promise<T>((resolve, reject) => {
        request.upload.onprogress = ({ loaded, total }) => onProgress({ sent: loaded, total });
        request.onload = () => {
            const answer = new Response(null, { status: request.status, statusText: request.statusText });
            const document = parsed(request.responseText);
            if (answer.ok) resolve(document as T);
            else reject(refusalOf(answer, document));
        };
        request.onerror = () => reject(Refusal.offline(new TypeError('the upload broke off')));
        request.onabort = () => reject(new Cancelled());
        request.open(method, `/api/v1${path}`);
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        request.onloadend = () => (underWay -= 1);
        underWay += 1;
        request.send(body);
    });
    return { finished, cancel: () => request.abort() };
}

function parsed(text: string): unknown {
    try {
        return JSON.parse(text) as unknown;
    } catch {
        return undefined;
    }
}
