/** The form of a preprocessing recipe (CONTRACT section 3), between what is typed and the JSON that is sent. */

/** How the recipe is given. `network`: none is, and the server takes the network's own input size. */
export type RecipeSource = 'network' | 'fields' | 'json';

export interface RecipeFields {
    resize: string;
    crop: string;
    interpolation: 'bilinear' | 'bicubic' | 'nearest';
    mean: string;
    std: string;
    scale: string;
    channels: 'rgb' | 'bgr' | 'gray';
}

/** What torchvision evaluates its classic networks with. */
export const IMAGENET_RECIPE: RecipeFields = {
    resize: '256',
    crop: '224',
    interpolation: 'bilinear',
    mean: '0.485, 0.456, 0.406',
    std: '0.229, 0.224, 0.225',
    scale: '1/255',
    channels: 'rgb',
};

/** What to begin with where the form is filled by hand: `shape` is that of the challenge's images, `[N,H,W]` or `[N,H,W,C]`, if it is known. */
export function recipeFor(shape: readonly number[] | null): RecipeFields {
    if (shape === null) return IMAGENET_RECIPE;
    // All images have one size: nothing needs to be cut.
    const sized: RecipeFields = { ...IMAGENET_RECIPE, resize: '', crop: '' };
    return (shape[3] ?? 1) === 1 ? { ...sized, mean: '0', std: '1', channels: 'gray' } : sized;
}

export type RecipeFaults = Partial<Record<keyof RecipeFields | 'json', string>>;

/** The recipe as JSON, or what is wrong with it. An empty field is left out. */
export function recipeOf(fields: RecipeFields): { recipe: Record<string, unknown>; faults: RecipeFaults } {
    const faults: RecipeFaults = {};
    const recipe: Record<string, unknown> = { interpolation: fields.interpolation, channels: fields.channels };
    const channels = fields.channels === 'gray' ? 1 : 3;

    const size = numbers(fields.resize);
    if (size.length > 0) {
        if (size.length > 2 || !size.every(isSize)) faults.resize = 'One number (the short side), or height and width.';
        else recipe.resize = size.length === 1 ? size[0] : size;
    }
    const crop = numbers(fields.crop);
    if (crop.length > 0) {
        if (crop.length > 1 || !crop.every(isSize)) faults.crop = 'One number: the side of the square that is cut out.';
        else recipe.crop = crop[0];
    }
    for (const name of ['mean', 'std'] as const) {
        const values = numbers(fields[name]);
        if (values.length === 0) continue;
        if (values.length !== channels || values.some(Number.isNaN)) faults[name] = `${channels === 1 ? 'One number' : 'Three numbers, one for each channel'}.`;
        else if (name === 'std' && values.some((value) => value <= 0)) faults.std = 'Above 0.';
        else recipe[name] = values;
    }
    if (fields.scale.trim() !== '') {
        const scale = fraction(fields.scale);
        if (scale === null) faults.scale = 'A number such as 0.00392156862745098, or 1/255.';
        else recipe.scale = scale;
    }
    return { recipe, faults };
}

/** What was pasted: JSON is checked here, a name such as `torchvision:…` by the server. */
export function pastedRecipe(text: string): { recipe: string; faults: RecipeFaults } {
    const trimmed = text.trim();
    if (trimmed === '') return { recipe: '', faults: { json: 'Paste the recipe, or let the network decide.' } };
    if (!trimmed.startsWith('{')) return { recipe: trimmed, faults: {} };
    try {
        JSON.parse(trimmed);
        return { recipe: trimmed, faults: {} };
    } catch (error) {
        return { recipe: trimmed, faults: { json: `Not valid JSON: ${error instanceof Error ? error.message : String(error)}` } };
    }
}

function numbers(text: string): number[] {
    return text.split(/[\s,;×x]+/).filter(Boolean).map(Number);
}

function isSize(value: number): boolean {
    return Number.isInteger(value) && value >= 1 && value <= 4096;
}

function fraction(text: string): number | null {
    const [numerator, denominator, ...rest] = text.split('/').map((part) => Number(part.trim()));
    if (numerator === undefined || rest.length > 0) return null;
    const value = denominator === undefined ? numerator : numerator / denominator;
    return Number.isFinite(value) && value > 0 ? value : null;
}
