/** What of a challenge anyone may download. */
import type { ChallengeDocument, StoredFile } from '$lib/api/schema';

export interface Download {
    /** Of the address, from `/api` on. */
    path: string;
    file: StoredFile;
    what: string;
}

/** What says in which order the lines of a text file and the rows of an array are; `null` where images have no names. */
export function imageOrder({ slug, test }: Pick<ChallengeDocument, 'slug' | 'test'>): { path: string; order: string } | null {
    if (!test.named_images) return null;
    const order = test.order === 'natural' ? 'natural order of the names: 2.png before 10.png' : 'byte order of the names: 10.png before 2.png';
    return { path: `/api/v1/challenges/${slug}/images/names`, order };
}

/** The organizers' files, then the images and labels that the challenge makes public. */
export function downloadsOf({ slug, files, test, validation }: ChallengeDocument): Download[] {
    const base = `/api/v1/challenges/${slug}`;
    const downloads: Download[] = Object.entries(files).map(([key, file]) => ({ path: `${base}/files/${key}`, file, what: words(key) }));
    if (test.public_images && test.file) {
        downloads.push({ path: `${base}/images`, file: test.file, what: 'Test images: what to predict' });
    }
    if (validation?.images) {
        downloads.push({ path: `${base}/validation/images`, file: validation.images, what: 'Validation images' });
    }
    if (validation?.labels) {
        downloads.push({ path: `${base}/validation/labels`, file: validation.labels, what: 'Validation labels, public' });
    }
    return downloads;
}

/** Addresses of the organizers' files by the names that the description may call them by: where it shows one as an image. */
export function imagesOf({ slug, files }: Pick<ChallengeDocument, 'slug' | 'files'>): Map<string, string> {
    return new Map(Object.entries(files).map(([key, { filename }]) => [filename, `/api/v1/challenges/${slug}/files/${key}`]));
}

/** The commands that download all of it from the server at `origin`. */
export function curlOf(downloads: readonly Download[], origin: string): string {
    return downloads.map(({ path, file }) => `curl -o ${shellWord(file.filename)} ${origin}${path}`).join('\n');
}

/** A name as a word of a command. An organizer may call a file anything: a shell must not take it for more than a name. */
function shellWord(name: string): string {
    return /^[A-Za-z0-9._+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

/** `train-images` is `Train images`. */
function words(key: string): string {
    const spaced = key.replace(/[-_]+/g, ' ');
    return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
