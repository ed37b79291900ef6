/** Markdown to HTML that is safe to show: the parser and the sanitiser are loaded where there is something to show. */

/** Headings of the text begin below the page's own. */
const TOP_HEADING = 2;

/**
 * Sanitised HTML of somebody else's Markdown. Links open without access to this page and tell search engines nothing;
 * images from elsewhere would be refused by the content security policy, so they become links.
 */
export async function untrustedMarkdown(source: string): Promise<string> {
    const [{ Marked }, { default: purify }] = await Promise.all([import('marked'), import('dompurify')]);
    const marked = new Marked({
        gfm: true,
        walkTokens: (token) => {
            if (token.type === 'heading') token.depth = Math.min(6, token.depth + TOP_HEADING - 1);
        },
    });
    const fragment = purify.sanitize(await marked.parse(source), {
        RETURN_DOM_FRAGMENT: true,
        FORBID_TAGS: ['style', 'form', 'input', 'button', 'iframe', 'video', 'audio'],
        FORBID_ATTR: ['style', 'class', 'id', 'name'],
    });
    for (const link of fragment.querySelectorAll('a[href]')) link.setAttribute('rel', 'nofollow noopener');
    for (const image of fragment.querySelectorAll('img')) {
        const link = window.document.createElement('a');
        link.href = image.src;
        link.rel = 'nofollow noopener';
        link.textContent = image.alt || image.src;
        image.replaceWith(link);
    }
    const holder = window.document.createElement('div');
    holder.append(fragment);
    return holder.innerHTML;
}
