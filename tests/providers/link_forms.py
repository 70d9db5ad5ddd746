"""Every form of link each service has, with what it names; and links that name nothing."""

from providers.links import Link

Y, Y2 = "dQw4w9WgXcQ", "-_9aZ0-_abc"
S = "4uLU6hMCjMI75M1A2tKUQC"
U = "8dd97a8d-e17f-48fb-8bc3-565f88dbc9ea"
CLIP = "HomelyFriendlyRavenGOWSkull-1nA0PruMZnJ6oFG1"
TIKTOK = "6718335390845095173"


def _youtube(media_id: str = Y, start: int | None = None, end: int | None = None) -> Link:
    return Link("youtube", media_id, "video", start, end)


def _vod(start: int | None = None) -> Link:
    return Link("twitch", "2345678901", "vod", start)


def _clip() -> Link:
    return Link("twitch", CLIP, "clip")


def _song(start: int | None = None) -> Link:
    return Link("apple_music", "1440841730", "track", start)


YOUTUBE = {
    f"https://www.youtube.com/watch?v={Y}": _youtube(),
    f"https://youtube.com/watch?v={Y2}": _youtube(Y2),
    f"http://m.youtube.com/watch?v={Y}": _youtube(),
    f"https://music.youtube.com/watch?v={Y}&si=AbC-1": _youtube(),
    f"https://gaming.youtube.com/watch?v={Y}": _youtube(),
    f"https://www.youtube.com/watch?list=PL123&index=4&v={Y}": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&list=PL123&t=90": _youtube(start=90),
    f"https://www.youtube.com/watch?t=90s&v={Y}": _youtube(start=90),
    f"https://www.youtube.com/watch?app=desktop&t=1m30s&v={Y}": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&t=1h2m3s": _youtube(start=3723),
    f"https://www.youtube.com/watch?v={Y}&t=1H2M3S": _youtube(start=3723),
    f"https://www.youtube.com/watch?v={Y}&t=1:30": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&t=1%3A02%3A03": _youtube(start=3723),
    f"https://www.youtube.com/watch?v={Y}&t=2m": _youtube(start=120),
    f"https://www.youtube.com/watch?v={Y}&t=1h": _youtube(start=3600),
    f"https://www.youtube.com/watch?v={Y}&t=90.7": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&t=0": _youtube(start=0),
    f"https://www.youtube.com/watch?v={Y}&start=90": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&time_continue=90&feature=emb_logo": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}#t=90": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}#t=1m30s": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&amp;t=90": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&v=AAAAAAAAAAA&t=90&t=7": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&t=&t=90": _youtube(start=90),
    f"https://www.youtube.com/watch?v={Y}&t=later": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&t=-5": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&t=९०": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&t=9999999": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&t=604801": _youtube(),
    f"https://www.youtube.com/watch?v={Y}&&&=x&%zz&a": _youtube(),
    f"https://www.youtube.com/watch/?v={Y}": _youtube(),
    f"https://www.youtube.com//watch?v={Y}": _youtube(),
    f"https://www.youtube.com/watch/{Y}": _youtube(),
    "https://www.youtube.com/watch?v=%64Qw4w9WgXcQ": _youtube(),
    f"https://www.youtube.com/watch_popup?v={Y}": _youtube(),
    f"https://www.youtube.com/?v={Y}": _youtube(),
    f"https://www.youtube.com/#!v={Y}": _youtube(),
    f"https://www.youtube.com/watch#!v={Y}&t=90": _youtube(start=90),
    f"https://m.youtube.com/#/watch?v={Y}": _youtube(),
    f"https://youtu.be/{Y}": _youtube(),
    f"https://youtu.be/{Y}/": _youtube(),
    f"https://youtu.be/{Y}?t=90": _youtube(start=90),
    f"https://youtu.be/{Y}?si=AbC-1_x&t=90": _youtube(start=90),
    f"https://youtu.be/{Y}?si=AbC-1_x?t=90": _youtube(start=90),
    f"https://youtu.be/{Y}&t=90": _youtube(start=90),
    f"https://www.youtu.be/{Y}": _youtube(),
    f"https://www.youtube.com/shorts/{Y}?feature=share": _youtube(),
    f"https://www.youtube.com/live/{Y}?t=90": _youtube(start=90),
    f"https://www.youtube.com/embed/{Y}?start=45&end=60": _youtube(start=45, end=60),
    f"https://www.youtube.com/embed/{Y}?end=60&autoplay=1&start=45": _youtube(start=45, end=60),
    f"https://www.youtube.com/embed/{Y}?start=60&end=45": _youtube(start=60),
    f"https://www.youtube.com/embed/{Y}?end=60": _youtube(end=60),
    f"https://www.youtube-nocookie.com/embed/{Y}?start=45": _youtube(start=45),
    f"https://youtube-nocookie.com/embed/{Y}": _youtube(),
    f"https://www.youtubekids.com/watch?v={Y}": _youtube(),
    f"https://youtube.com/v/{Y}": _youtube(),
    f"https://www.youtube.com/v/{Y}&hl=en_US&start=90": _youtube(start=90),
    f"https://www.youtube.com/e/{Y}": _youtube(),
    f"youtu.be/{Y}?t=90": _youtube(start=90),
    f"www.youtube.com/watch?v={Y}": _youtube(),
    f"<https://youtu.be/{Y}?t=90>": _youtube(start=90),
    f"HTTPS://WWW.YouTube.COM/watch?v={Y}": _youtube(),
    f"https://www.youtube.com:443/watch?v={Y}": _youtube(),
    f"http://youtu.be:80/{Y}": _youtube(),
    f"https://www.youtube.com./watch?v={Y}": _youtube(),
}

SPOTIFY = {
    f"https://open.spotify.com/track/{S}": Link("spotify", S, "track"),
    f"https://open.spotify.com/track/{S}?si=0123456789abcdef": Link("spotify", S, "track"),
    f"https://open.spotify.com/intl-de/track/{S}": Link("spotify", S, "track"),
    f"https://open.spotify.com/intl-pt/track/{S}/?nd=1": Link("spotify", S, "track"),
    f"https://open.spotify.com/embed/track/{S}?utm_source=generator": Link("spotify", S, "track"),
    f"https://play.spotify.com/track/{S}": Link("spotify", S, "track"),
    f"spotify:track:{S}": Link("spotify", S, "track"),
    f"SPOTIFY:track:{S}": Link("spotify", S, "track"),
    f"open.spotify.com/track/{S}": Link("spotify", S, "track"),
    f"https://open.spotify.com/track/{S}?t=45": Link("spotify", S, "track", 45),
    f"https://open.spotify.com/episode/{S}?si=abc&t=90": Link("spotify", S, "episode", 90),
    f"https://open.spotify.com/intl-fr/episode/{S}": Link("spotify", S, "episode"),
    f"https://open.spotify.com/embed-podcast/episode/{S}": Link("spotify", S, "episode"),
    f"https://open.spotify.com/embed/episode/{S}?t=90": Link("spotify", S, "episode", 90),
    f"spotify:episode:{S}": Link("spotify", S, "episode"),
}

TWITCH = {
    "https://www.twitch.tv/videos/2345678901": _vod(),
    "https://twitch.tv/videos/2345678901?t=1h2m3s": _vod(3723),
    "https://m.twitch.tv/videos/2345678901?t=01h02m03s&sr=a": _vod(3723),
    "https://go.twitch.tv/videos/2345678901": _vod(),
    "https://www.twitch.tv/videos/2345678901?filter=archives&sort=time&t=90s": _vod(90),
    "https://www.twitch.tv/rosa_tv/v/2345678901?t=90": _vod(90),
    "https://www.twitch.tv/rosa_tv/video/2345678901": _vod(),
    "https://www.twitch.tv/rosa_tv/schedule?vodID=2345678901": _vod(),
    "https://player.twitch.tv/?video=v2345678901&parent=example.com": _vod(),
    "https://player.twitch.tv/?autoplay=false&video=2345678901&time=1h2m3s": _vod(3723),
    "twitch.tv/videos/2345678901": _vod(),
    f"https://clips.twitch.tv/{CLIP}": _clip(),
    f"https://clips.twitch.tv/embed?clip={CLIP}&parent=example.com": _clip(),
    f"https://www.twitch.tv/rosa_tv/clip/{CLIP}?filter=clips&range=7d&sort=time": _clip(),
    f"https://www.twitch.tv/clip/{CLIP}": _clip(),
    f"https://m.twitch.tv/rosa_tv/clip/{CLIP}": _clip(),
    f"https://m.twitch.tv/clip/{CLIP}": _clip(),
}

SOUNDCLOUD = {
    "https://soundcloud.com/rosa/late-night": Link("soundcloud", "rosa/late-night", "track"),
    "https://www.soundcloud.com/rosa/late-night/": Link("soundcloud", "rosa/late-night", "track"),
    "https://m.soundcloud.com/rosa/late-night?si=abc&utm_source=clipboard#t=1:30": Link(
        "soundcloud", "rosa/late-night", "track", 90
    ),
    "https://soundcloud.com/rosa/late-night#t=1%3A30": Link("soundcloud", "rosa/late-night", "track", 90),
    "https://soundcloud.com/rosa/late-night?in=other/sets/mix": Link("soundcloud", "rosa/late-night", "track"),
    "https://SoundCloud.com/Rosa/Late-Night": Link("soundcloud", "rosa/late-night", "track"),
    "https://soundcloud.com/rosa/late-night/s-AbC123": Link(
        "soundcloud", "rosa/late-night", "track", beside="s-AbC123"
    ),
    "https://api.soundcloud.com/tracks/293": Link("soundcloud", "293", "track"),
    "https://api.soundcloud.com/tracks/soundcloud:tracks:293": Link("soundcloud", "293", "track"),
    "https://api-v2.soundcloud.com/tracks/soundcloud%3Atracks%3A293": Link("soundcloud", "293", "track"),
    "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/293&color=%23ff5500": Link(
        "soundcloud", "293", "track"
    ),
    "https://w.soundcloud.com/player/?auto_play=false&url=https%3A%2F%2Fsoundcloud.com%2Frosa%2Flate-night": Link(
        "soundcloud", "rosa/late-night", "track"
    ),
    "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/293%3Fsecret_token%3Ds-AbC": Link(
        "soundcloud", "293", "track", beside="s-AbC"
    ),
}

VIMEO = {
    "https://vimeo.com/76979871": Link("vimeo", "76979871", "video"),
    "https://vimeo.com/76979871#t=90s": Link("vimeo", "76979871", "video", 90),
    "https://vimeo.com/76979871#t=1m30s": Link("vimeo", "76979871", "video", 90),
    "https://vimeo.com/76979871?share=copy#t=90.5": Link("vimeo", "76979871", "video", 90),
    "https://vimeo.com/76979871/ab12cd34ef?ts=0": Link("vimeo", "76979871", "video", beside="ab12cd34ef"),
    "https://vimeo.com/channels/staffpicks/76979871": Link("vimeo", "76979871", "video"),
    "https://vimeo.com/groups/shorts/videos/76979871": Link("vimeo", "76979871", "video"),
    "https://vimeo.com/ondemand/film/76979871": Link("vimeo", "76979871", "video"),
    "https://vimeo.com/album/1234/video/76979871": Link("vimeo", "76979871", "video"),
    "https://vimeo.com/showcase/1234/video/76979871": Link("vimeo", "76979871", "video"),
    "https://player.vimeo.com/video/76979871": Link("vimeo", "76979871", "video"),
    "https://player.vimeo.com/video/76979871?h=ab12cd34ef&start_time=45&end_time=60": Link(
        "vimeo", "76979871", "video", 45, 60, "ab12cd34ef"
    ),
}

APPLE_MUSIC = {
    "https://music.apple.com/us/album/slug/1440841384?i=1440841730": _song(),
    "https://music.apple.com/de/album/für-elise/1440841384?i=1440841730&l=en": _song(),
    "https://music.apple.com/gb/album/1440841384?i=1440841730&uo=4": _song(),
    "https://music.apple.com/jp/album/%E6%AD%8C/1440841384?i=1440841730": _song(),
    "https://music.apple.com/us/song/slug/1440841730": _song(),
    "https://music.apple.com/us/song/1440841730": _song(),
    "https://music.apple.com/song/1440841730": _song(),
    "https://geo.music.apple.com/us/album/_/1440841384?i=1440841730&mt=1&app=music": _song(),
    "https://embed.music.apple.com/us/album/slug/1440841384?i=1440841730": _song(),
    "https://itunes.apple.com/us/album/slug/id1440841384?i=1440841730": _song(),
    "music://music.apple.com/us/album/slug/1440841384?i=1440841730": _song(),
    "music://itunes.apple.com/us/album/_/1440841384?i=1440841730&mt=1": _song(),
    "https://music.apple.com/us/album/slug/1440841384?i=1440841730&t=45": _song(45),
    "https://music.apple.com/us/music-video/slug/1440841730": Link("apple_music", "1440841730", "video"),
}

DEEZER = {
    "https://www.deezer.com/track/3135556": Link("deezer", "3135556", "track"),
    "https://deezer.com/en/track/3135556": Link("deezer", "3135556", "track"),
    "https://www.deezer.com/us/track/3135556?host=0&utm_campaign=clipboard-generic&deferredFl=1": Link(
        "deezer", "3135556", "track"
    ),
    "https://www.deezer.com/pt-br/track/3135556/": Link("deezer", "3135556", "track"),
    "https://widget.deezer.com/widget/dark/track/3135556?tracklist=false": Link("deezer", "3135556", "track"),
    "https://link.deezer.com/?awf=x&dest=https%3A%2F%2Fwww.deezer.com%2Ftrack%2F3135556%3Fhost%3D1": Link(
        "deezer", "3135556", "track"
    ),
}

DAILYMOTION = {
    "https://www.dailymotion.com/video/x5e9eog": Link("dailymotion", "x5e9eog", "video"),
    "https://www.dailymotion.com/video/x5e9eog_a-title_news?start=90": Link("dailymotion", "x5e9eog", "video", 90),
    "https://dailymotion.com/video/x5e9eog?playlist=x1abc": Link("dailymotion", "x5e9eog", "video"),
    "https://www.dailymotion.com/embed/video/x5e9eog?start=90": Link("dailymotion", "x5e9eog", "video", 90),
    "https://geo.dailymotion.com/player.html?video=x5e9eog&startTime=90": Link("dailymotion", "x5e9eog", "video", 90),
    "https://geo.dailymotion.com/player/xabc.html?video=x5e9eog": Link("dailymotion", "x5e9eog", "video"),
    "https://dai.ly/x5e9eog": Link("dailymotion", "x5e9eog", "video"),
    "dai.ly/x5e9eog?start=90": Link("dailymotion", "x5e9eog", "video", 90),
}

TIKTOKS = {
    f"https://www.tiktok.com/@rosa.tv_1/video/{TIKTOK}": Link("tiktok", TIKTOK, "video"),
    f"https://www.tiktok.com/@rosa/video/{TIKTOK}?is_from_webapp=1&_t=8abc&_r=1": Link("tiktok", TIKTOK, "video"),
    f"https://m.tiktok.com/@rosa/video/{TIKTOK}/": Link("tiktok", TIKTOK, "video"),
    f"https://m.tiktok.com/v/{TIKTOK}.html": Link("tiktok", TIKTOK, "video"),
    f"https://www.tiktok.com/embed/v2/{TIKTOK}": Link("tiktok", TIKTOK, "video"),
    f"https://www.tiktok.com/player/v1/{TIKTOK}": Link("tiktok", TIKTOK, "video"),
}

BANDCAMP = {
    "https://rosa.bandcamp.com/track/late-night": Link("bandcamp", "rosa/late-night", "track"),
    "http://rosa-tv.bandcamp.com/track/late-night-2/?from=embed": Link("bandcamp", "rosa-tv/late-night-2", "track"),
    "https://rosa.bandcamp.com/track/late-night?t=45": Link("bandcamp", "rosa/late-night", "track", 45),
}

KICK = {
    f"https://kick.com/rosa/videos/{U}": Link("kick", U, "vod", beside="rosa"),
    f"https://www.kick.com/Rosa/videos/{U.upper()}?t=90": Link("kick", U, "vod", 90, None, "rosa"),
    f"https://kick.com/video/{U}": Link("kick", U, "vod"),
    "https://kick.com/rosa/clips/clip_01HXYZABC": Link("kick", "clip_01HXYZABC", "clip", beside="rosa"),
    "https://kick.com/rosa?clip=clip_01HXYZABC": Link("kick", "clip_01HXYZABC", "clip", beside="rosa"),
}

MUSICBRAINZ = {
    f"https://musicbrainz.org/recording/{U}": Link("musicbrainz", U, "recording"),
    f"https://www.musicbrainz.org/recording/{U}/relationships": Link("musicbrainz", U, "recording"),
    f"https://beta.musicbrainz.org/recording/{U.upper()}": Link("musicbrainz", U, "recording"),
}

APPLE_PODCASTS = {
    "https://podcasts.apple.com/us/podcast/a-show/id1200361736?i=1000654321987": Link(
        "apple_podcasts", "1200361736/1000654321987", "episode"
    ),
    "https://podcasts.apple.com/podcast/id1200361736?i=1000654321987&t=90": Link(
        "apple_podcasts", "1200361736/1000654321987", "episode", 90
    ),
}

FORMS: dict[str, dict[str, Link]] = {
    "youtube": YOUTUBE,
    "spotify": SPOTIFY,
    "twitch": TWITCH,
    "soundcloud": SOUNDCLOUD,
    "vimeo": VIMEO,
    "apple_music": APPLE_MUSIC,
    "deezer": DEEZER,
    "dailymotion": DAILYMOTION,
    "tiktok": TIKTOKS,
    "bandcamp": BANDCAMP,
    "kick": KICK,
    "musicbrainz": MUSICBRAINZ,
    "apple_podcasts": APPLE_PODCASTS,
}

HOSTILE = [
    # finding 16, and its relatives
    f"https://youtu\t.be/{Y}",
    f"https://www.you\ntube.com/watch?v={Y}",
    f"https://youtu.be/{Y}\n",
    f"https://youtu.be/{Y}\r\nX: y",
    f" https://youtu.be/{Y}",
    f"https://youtu.be/{Y} ",
    f"https://youtu.be/\x00{Y}",
    f"https://youtu.be/{Y}\x7f",
    f"https://youtu.be/\ud800{Y}",
    f"https://youtu.be/\u202e{Y}",
    f"https://you\u200btu.be/{Y}",
    f"https://youtu.be\\@evil.example/{Y}",
    f"https:\\\\youtu.be\\{Y}",
    f"https://evil.example\\.youtube.com/watch?v={Y}",
    f"https://ｙoutube.com/watch?v={Y}",
    f"https://уoutube.com/watch?v={Y}",
    f"https://youtube。com/watch?v={Y}",
    f"https://\u212aick.com/rosa/videos/{U}",
    f"https://xn--outube-6ve.com/watch?v={Y}",
    f"https://xn--a.youtube.com/watch?v={Y}",
    "https://xn--a.bandcamp.com/track/b",
    f"https://%79outube.com/watch?v={Y}",
    f"https://youtube%2ecom/watch?v={Y}",
    f"https://youtube.com../watch?v={Y}",
    f"https://.youtube.com/watch?v={Y}",
    f"https://a.b.youtube.com/watch?v={Y}",
    f"https://-.youtube.com/watch?v={Y}",
    f"https://youtube.com.evil.example/watch?v={Y}",
    f"https://youtube.com.evil/watch?v={Y}",
    f"https://evilyoutube.com/watch?v={Y}",
    f"https://youtube.com-evil.example/watch?v={Y}",
    f"https://evil.example/youtube.com/watch?v={Y}",
    f"https://evil.example/https://youtube.com/watch?v={Y}",
    f"https://evil.example?https://youtube.com/watch?v={Y}",
    f"https://evil.example#https://youtube.com/watch?v={Y}",
    f"https://evil.example/?v={Y}&host=youtube.com",
    f"https://youtube.com@evil.example/watch?v={Y}",
    f"https://youtube.com:443@evil.example/watch?v={Y}",
    f"https://user:secret@youtube.com/watch?v={Y}",
    f"https://@youtube.com/watch?v={Y}",
    f"https://youtube.com:8080/watch?v={Y}",
    f"https://youtube.com:0443/watch?v={Y}",
    f"https://youtube.com:443:443/watch?v={Y}",
    f"https://youtube.com:４４３/watch?v={Y}",
    f"https://youtube.com:-1/watch?v={Y}",
    f"https://youtube.com:https/watch?v={Y}",
    f"https:/youtube.com/watch?v={Y}",
    f"https:youtube.com/watch?v={Y}",
    f"https:///youtube.com/watch?v={Y}",
    f"//youtube.com/watch?v={Y}",
    f"://youtube.com/watch?v={Y}",
    f"https://https://youtube.com/watch?v={Y}",
    f"ftp://youtube.com/watch?v={Y}",
    f"file://youtube.com/watch?v={Y}",
    f"javascript://youtube.com/watch?v={Y}",
    f"music://youtube.com/watch?v={Y}",
    "javascript:alert(1)",
    "data:text/html,x",
    f"spotify://track/{S}",
    "https://127.0.0.1/watch?v=" + Y,
    "https://2130706433/watch?v=" + Y,
    "https://0x7f000001/watch?v=" + Y,
    "https://[::1]/watch?v=" + Y,
    "https://[::ffff:127.0.0.1]:443/watch?v=" + Y,
    "https://localhost/watch?v=" + Y,
    "https://169.254.169.254/latest/meta-data",
    f"https://youtube.com/../watch?v={Y}",
    f"https://youtube.com/%2e%2e/watch?v={Y}",
    f"https://youtu.be/{Y}?{'a' * 2000}",
    f"https://youtu.be/{Y}?x=\\",
    "https://www.twitch.tv/../videos/2345678901",
    "https://www.twitch.tv/%2E%2e/videos/2345678901",
    f"<https://youtu.be/{Y}",
    f"https://youtu.be/{Y}>",
    f"[x](https://youtu.be/{Y})",
    # ids that are none
    "https://youtu.be/dQw4w9WgXc",
    "https://youtu.be/dQw4w9WgXcQQ",
    "https://youtu.be/dQw4w9WgXc%51Q",
    "https://youtu.be/dQw4w9WgXc%0A",
    "https://youtu.be/dQw4w9WgXc１",
    "https://www.youtube.com/watch?v=",
    "https://www.youtube.com/watch",
    "https://www.youtube.com/",
    "https://www.youtube.com/embed/live_stream?channel=UC",
    f"https://open.spotify.com/track/{S}x",
    f"https://open.spotify.com/track/{S[:-1]}%00",
    "https://open.spotify.com/track/",
    "https://www.twitch.tv/videos/12a",
    "https://www.twitch.tv/videos/１２",
    "https://www.twitch.tv/videos/0123",
    "https://www.twitch.tv/videos/-1",
    "https://www.twitch.tv/videos/" + "9" * 21,
    "https://clips.twitch.tv/create",
    "https://clips.twitch.tv/a%2Fb",
    "https://clips.twitch.tv/123456",
    "https://player.twitch.tv/?channel=rosa",
    "https://soundcloud.com/rosa/late%20night",
    "https://soundcloud.com/rosa/late-night/recommended",
    "https://soundcloud.com/discover/late-night",
    "https://w.soundcloud.com/player/?url=https%3A//evil.example/tracks/293",
    "https://w.soundcloud.com/player/?url=https%3A//w.soundcloud.com/player/%3Furl%3Dx",
    "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/users/293",
    f"https://w.soundcloud.com/player/?url=https%3A//youtu.be/{Y}",
    "https://w.soundcloud.com/player/",
    "https://vimeo.com/012",
    "https://vimeo.com/76979871/settings",
    "https://music.apple.com/us/song/abc",
    "https://www.deezer.com/track/abc",
    "https://link.deezer.com/?dest=https%3A%2F%2Fevil.example%2Ftrack%2F3135556",
    "https://link.deezer.com/?dest=https%3A%2F%2Flink.deezer.com%2F%3Fdest%3Dx",
    "https://link.deezer.com/s/a%2F..%2Fb",
    "https://www.dailymotion.com/video/y5e9eog",
    "https://www.tiktok.com/@rosa/video/abc",
    "https://vm.tiktok.com/",
    "https://vm.tiktok.com/a/b",
    "https://vm.tiktok.com/" + "a" * 65,
    "https://spotify.link/a%0d%0ab",
    "https://bandcamp.com/track/late-night",
    "https://www.bandcamp.com/track/late-night",
    "https://a.b.bandcamp.com/track/late-night",
    f"https://kick.com/rosa/videos/{U[:-1]}",
    "https://kick.com/rosa/clips/clip_",
    f"https://musicbrainz.org/recording/{U}0",
    "https://podcasts.apple.com/us/podcast/a-show?i=1",
    "",
    "<>",
    "https://",
    "http",
    "hello",
    Y,
    S,
]

HINTS = {
    "https://www.youtube.com/playlist?list=PL123": "playlist",
    "https://music.youtube.com/playlist?list=OLAK5": "playlist",
    "https://www.youtube.com/embed/videoseries?list=PL123": "playlist",
    "https://www.youtube.com/channel/UC123": "channel",
    "https://www.youtube.com/c/rosa/videos": "channel",
    "https://www.youtube.com/@rosa/live": "channel",
    "https://www.youtube.com/clip/UgkxAbC": "clip",
    f"https://open.spotify.com/album/{S}": "album",
    f"https://open.spotify.com/intl-de/playlist/{S}": "playlist",
    f"https://open.spotify.com/show/{S}": "show",
    f"https://open.spotify.com/artist/{S}": "artist",
    f"spotify:album:{S}": "album",
    f"spotify:user:rosa:playlist:{S}": "playlist",
    "https://www.twitch.tv/rosa": "channel",
    "https://www.twitch.tv/rosa/videos": "channel",
    "https://www.twitch.tv/collections/abc": "collection",
    "https://soundcloud.com/rosa": "profile",
    "https://soundcloud.com/rosa/sets/mix": "playlist",
    "https://soundcloud.com/rosa/likes": "list",
    "https://vimeo.com/rosa": "channel",
    "https://vimeo.com/showcase/1234": "collection",
    "https://vimeo.com/channels/staffpicks": "collection",
    "https://music.apple.com/us/album/slug/1440841384": "album",
    "https://music.apple.com/us/playlist/slug/pl.abc": "playlist",
    "https://music.apple.com/us/artist/slug/123": "artist",
    "https://www.deezer.com/en/album/302127": "album",
    "https://www.deezer.com/playlist/302127": "playlist",
    "https://www.dailymotion.com/playlist/x1abc": "playlist",
    "https://www.dailymotion.com/rosa": "channel",
    "https://www.tiktok.com/@rosa": "profile",
    f"https://www.tiktok.com/@rosa/photo/{TIKTOK}": "picture",
    "https://rosa.bandcamp.com/album/nights": "album",
    "https://rosa.bandcamp.com/": "artist",
    "https://kick.com/rosa": "channel",
    f"https://musicbrainz.org/release/{U}": "release",
    "https://podcasts.apple.com/us/podcast/a-show/id1200361736": "podcast",
    f"https://www.youtube.com:8443/watch?v={Y}": "without a port",
    f"https://rosa@www.youtube.com/watch?v={Y}": "without a user name",
    f"https://youtu.be/{Y}?{'a' * 2000}": "too long",
    f"https://youtu.be/{Y}\t": "copy it again",
    "https://evil.example/": "Paste a link that starts with https://, from one of: YouTube, ",
    "https://www.youtube.com/": "paste one like https://youtu.be/",
}

SHORT = {
    "https://spotify.link/AbC123": "https://spotify.link/AbC123",
    "https://open.spotify.com/s/2czejYu?si=1": "https://open.spotify.com/s/2czejYu",
    "https://on.soundcloud.com/AbC123": "https://on.soundcloud.com/AbC123",
    "http://vm.tiktok.com/ZMAbC123/": "https://vm.tiktok.com/ZMAbC123",
    "vt.tiktok.com/ZSAbC123": "https://vt.tiktok.com/ZSAbC123",
    "https://www.tiktok.com/t/ZTAbC123/": "https://www.tiktok.com/t/ZTAbC123",
    "https://link.deezer.com/s/31JejBi1IBtZue2vdoTq3": "https://link.deezer.com/s/31JejBi1IBtZue2vdoTq3",
}
