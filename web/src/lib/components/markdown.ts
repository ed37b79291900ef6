/** Markdown to HTML that is safe to show: the parser and the sanitiser are loaded where there is something to show. */

/** Headings of the text begin below the page's own. */
const TOP_HEADING = 2;

/**
 * Sanitised HTML of somebody else's Markdown. Links open without access to this page and tell search engines nothing.
 * Images are shown where `images` has an address for how the text calls them; those from elsewhere would be refused by the
 * content security policy, so they become links.
 */
export type Render = (source: string, images?: ReadonlyMap<string, string>) => string;

let loading: Promise<Render> | undefined;
let loaded: Render | undefined;

/** The renderer, which is fetched once. A page's `load` waits for it, so that the text is there with the page around it. */
export function loadMarkdown(): Promise<Render> {
    loading ??= load().then(
        (render) => (loaded = render),
        (failure: unknown) => {
            // The next page tries again.
            loading = undefined;
            throw failure;
        },
    );
    return loading;
}

/** The renderer, if it is there already. */
export function loadedMarkdown(): Render | undefined {
    return loaded;
}

async function load(): Promise<Render> {
    const [{ Marked }, { default: purify }] = await Promise.all([import('marked'), import('dompurify')]);
    const marked = new Marked({
        gfm: true,
        async: false,
        walkTokens: (token) => {
            if (token.type === 'heading') token.depth = Math.min(6, token.depth + TOP_HEADING - 1);
        },
    });
    return (source, images = new Map()) => {
        const fragment = purify.sanitize(parsed(marked, source), {
            RETURN_DOM_FRAGMENT: true,
            FORBID_TAGS: ['style', 'form', 'input', 'button', 'iframe', 'video', 'audio'],
            FORBID_ATTR: ['style', 'class', 'id', 'name', 'srcset'],
        });
        for (const link of fragment.querySelectorAll('a[href]')) link.setAttribute('rel', 'nofollow noopener');
        for (const image of fragment.querySelectorAll('img')) {
            const own = images.get(image.getAttribute('src') ?? '');
            if (own) image.setAttribute('src', own);
            else image.replaceWith(linkTo(image));
        }
        const holder = window.document.createElement('div');
        holder.append(fragment);
        return holder.innerHTML;
    };
}

/** The parser's HTML; text that breaks the parser is shown as it is. */
function parsed(marked: { parse: (source: string) => unknown }, source: string): string {
    try {
        return marked.parse(source) as string;
    } catch {
        const text = window.document.createElement('pre');
        text.textContent = source;
        return text.outerHTML;
    }
}

function linkTo(image: HTMLImageElement): HTMLAnchorElement {
    const link = window.document.createElement('a');
    link.href = image.src;
    link.rel = 'nofollow noopener';
    link.textContent = image.alt || image.src;
    return link;
}
