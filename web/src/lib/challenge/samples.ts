/** Some of a challenge's images, by class where public labels say which: from its validation set or its training files. */
import type { ChallengeDocument, Class } from '$lib/api/schema';
import { thumbnailOf } from '$lib/images/decode';
import { bytesOf, firstImages, HEADER_BYTES, isNpy, type RawImage } from '$lib/images/npy';
import { filesAtStart } from '$lib/images/tar';

/** At most this much is downloaded for samples. */
const BUDGET_BYTES = 1 << 20;
/** Photographs are larger: this is some eighteen of ImageNet's. */
const TAR_BUDGET_BYTES = 2 << 20;
const LABEL_BYTES = 1 << 14;
const AT_MOST = 400;
const AT_MOST_UNLABELLED = 32;
const PER_CLASS = 6;

export interface Samples {
    /** In words: where they are from. */
    source: string;
    /** By class index; empty where nothing public says which class an image has. */
    byClass: ReadonlyMap<number, readonly RawImage[]>;
    /** Without their classes. */
    unlabelled: readonly RawImage[];
}

interface Source {
    name: string;
    images: string;
    /** `null` where labels are hidden. */
    labels: string | null;
}

/** An image and the names by which labels may call it. */
interface Sample {
    names: readonly string[];
    image: () => Promise<RawImage>;
}

/** Whether images are shown by class, known before any is there. */
export function hasSamplesByClass(challenge: ChallengeDocument): boolean {
    return typeof sourceOf(challenge)?.labels === 'string';
}

/** Sample images, or `null` where the challenge has none that are public. */
export async function samplesOf(challenge: ChallengeDocument): Promise<Samples | null> {
    const source = sourceOf(challenge);
    if (!source) return null;
    const samples = isNpy(await bytesOf(source.images, 0, HEADER_BYTES)) ? await fromNpy(source) : await fromTar(source);
    if (source.labels === null) {
        const images = await Promise.all(samples.slice(0, AT_MOST_UNLABELLED).map(({ image }) => image()));
        return { source: source.name, byClass: new Map(), unlabelled: images };
    }
    const labels = labelsFrom(new TextDecoder().decode(await bytesOf(source.labels, 0, LABEL_BYTES)), challenge.classes);
    const byClass = new Map<number, RawImage[]>();
    for (const { names, image } of samples) {
        const label = names.map((name) => labels.get(name)).find((found) => found !== undefined);
        if (label === undefined) continue;
        const shown = byClass.get(label) ?? [];
        if (shown.length < PER_CLASS) byClass.set(label, [...shown, await image()]);
    }
    return { source: source.name, byClass, unlabelled: [] };
}

async function fromNpy({ images, labels }: Source): Promise<Sample[]> {
    const found = await firstImages(images, { atMost: labels === null ? AT_MOST_UNLABELLED : AT_MOST, budget: BUDGET_BYTES });
    return found.map((image, ordinal) => ({ names: [String(ordinal)], image: () => Promise.resolve(image) }));
}

/** Images in an archive are known by name only: which ordinal one has, the whole list of names decides. */
async function fromTar({ images }: Source): Promise<Sample[]> {
    const files = filesAtStart(await bytesOf(images, 0, TAR_BUDGET_BYTES));
    return files.map(({ name, bytes }) => ({ names: namesOf(name), image: () => thumbnailOf(new Blob([bytes])) }));
}

/** With and without its folder and its extension, as labels may name an image. */
function namesOf(path: string): string[] {
    const file = path.slice(path.lastIndexOf('/') + 1);
    return [path, file, path.replace(/\.[^./]+$/, ''), file.replace(/\.[^.]+$/, '')];
}

/** Where images of the kind that a model gets are public: those of the test or of the validation set. */
export function publicImages({ slug, validation, test }: ChallengeDocument): string | null {
    if (test.public_images && test.file) return `/api/v1/challenges/${slug}/images`;
    return validation?.images ? `/api/v1/challenges/${slug}/validation/images` : null;
}

function sourceOf({ slug, validation, files, test }: ChallengeDocument): Source | null {
    const base = `/api/v1/challenges/${slug}`;
    if (validation?.labels && validation.images) {
        return { name: 'the validation set', images: `${base}/validation/images`, labels: `${base}/validation/labels` };
    }
    for (const [key, file] of Object.entries(files)) {
        const labels = `${key.slice(0, -'-images'.length)}-labels`;
        if (key.endsWith('-images') && labels in files) return { name: file.filename, images: `${base}/files/${key}`, labels: `${base}/files/${labels}` };
    }
    return test.public_images && test.file ? { name: 'the test images', images: `${base}/images`, labels: null } : null;
}

/** Image, by ordinal or name, and class of the rows of a labels file's beginning: `image,label`, the label a class's index from 0, name or id. */
export function labelsFrom(text: string, classes: readonly Class[]): Map<string, number> {
    const labels = new Map<string, number>();
    const lines = text.split(/\r?\n/);
    // The first is the header; the last may be cut off.
    for (const line of lines.slice(1, -1)) {
        const [image = '', label = ''] = line.split(',');
        const named = classes.findIndex(({ name, id }) => name === label || id === label);
        const index = named >= 0 ? named : /^\d+$/.test(label) ? Number(label) : -1;
        if (image !== '' && index >= 0 && index < classes.length) labels.set(image, index);
    }
    return labels;
}
