"""Words of many languages that say which version of a song this is, or that say nothing about the recording.

A word in none of these lists is a word of the title, and a title that has it is never merged with one that has not.
So a missing version word costs nothing; what is added to the neutral ones must never tell two recordings apart.
"""

# Before the semicolon all words of a kind mean one thing; after it each is a version of its own, since a mix in 8D is
# not one with reverb, and `sped up` is not `slowed`.
KINDS = {
    "live": """live, en vivo, en directo, ao vivo, dal vivo, na zywo, naživo, в живую, вживую, на живо, наживо,
        canlı, canlı performans, ζωντανά, ζωντανή, lifandi, nazivo, ライブ, ライヴ, 生演奏, 라이브, 現場, 现场,
        לייב, הופעה חיה, בהופעה חיה, لايف, مباشر, trực tiếp, แสดงสด; concert, en concert, concierto, koncert,
        konzert, концерт, концерте, концерта, concerto, konser, en public, unplugged, session, sessions,
        rehearsal, festival, tour, tiny desk, first take, bbc radio, 콘서트, 演唱會, 演唱会, בהופעה, הופעה,
        בהופעת, حفلة, حفل, 弾き語り, kcrw, kexp""",
    "remix": """remix, remixed, rmx, ремикс, ремікс, リミックス, 리믹스, 混音, רמיקס, ريمكس, remiks; mix,
        remixes, bootleg, flip, rework, reworked, vip, dub, club, refix, reimagined, remake, megamix, phonk,
        hardstyle, reggae, bachata, salsa, jersey club, house version, slap house, techno""",
    "edit": """radio edit, radio mix, radio version; edit, single version, single edit, video version,
        video edit, clip version, short version, short, cut, tv size, tv edit, tv version, intro edit,
        dirty edit""",
    "extended": """extended, extended version, extended mix, extendida, удлиненная, 확장; long version, 12 inch,
        full length""",
    "cover": """cover, covers, covered, coverversion, кавер, カバー, カヴァー, 歌ってみた, 커버, 翻唱, קאבר,
        كوفر, przeróbka; 弾いてみた, 叩いてみた, 踊ってみた, in the style of, originally performed by,
        made famous by, made popular by, as performed by, tribute, tributo, hommage, homage, w stylu, parody,
        parodia, пародия, a la manera de, popularizado, kidz bop, ai, focus""",
    "karaoke": """karaoke, караоке, カラオケ, 노래방, 卡拉ok, קריוקי, كاريوكي, καραόκε; backing track,
        backing tracks, lower key, higher key, sing along, playback, minus one, минус, минусовка, off vocal,
        offvocal, mr, podkład""",
    "instrumental": """instrumental, instrumentals, instrumentaal, inst, инструментал, инструментальная,
        インスト, インストゥルメンタル, 인스트, 伴奏, אינסטרומנטלי; موسيقى فقط, no vocals, without vocals,
        type beat, beat""",
    "acapella": """acapella, a cappella, acappella, acapela, акапелла, アカペラ, 아카펠라; vocals only,
        isolated vocals""",
    "acoustic": """acoustic, acústico, acústica, acoustique, akustik, akustisch, akustyczna, akustycznie,
        акустика, акустическая, акустична, アコースティック, 어쿠스틱, 原聲, אקוסטי, أكوستيك; stripped,
        desenchufado""",
    "instrument": """piano, пианино, фортепиано, ピアノ, 피아노, 鋼琴, פסנתר, بيانو; guitar, gitara, guitarra,
        гитара, гитару, гитаре, ギター, 기타, violin, cello, sax, saxophone, orchestral, orchestra version,
        symphonic, string quartet, music box, オルゴール, 8 bit, 8bit, 16 bit, chiptune, midi, synthesia, drum,
        drums, ドラム, ukulele, flute, harp, lullaby, choir version, kalimba, marimba, handpan, accordion""",
    "speed": """sped up, spedup, speed up, ускоренная, ускорено; sped, speed, fast, faster, nightcore, slowed,
        slow, slowed down, slower, замедленная, замедлено, daycore, chopped, screwed, pitched, 배속, 倍速, مسرع,
        بطيء, מואץ""",
    "effect": """; reverb, reverbed, ревербация, bass boosted, bassboosted, bass boost, 8d, 9d, 16d, 3d, 432hz,
        528hz, lofi, lo fi, in another room, empty arena, low quality, earrape, vaporwave, distorted""",
    "demo": """demo, демо, デモ, 데모, maqueta; demos, rough mix, outtake, outtakes, alternate, alternative,
        take, early version, work tape, home recording, leaked, leak, unreleased, first version""",
    "clean": "clean, censored, 클린",
    "medley": "medley, メドレー, 메들리, попурри, popurri, wiązanka, potpourri, מחרוזת",
    "mashup": "mashup, mash up, мэшап, マッシュアップ, מאשאפ",
    "loop": """; 1 hour, 2 hours, 3 hours, 8 hours, 10 hours, 1 hours, hour, hours, loop, looped, 1 час, часов,
        1時間, 耐久, 1시간, 1 hora, 10 horas, 1 godzina, 1 heure, שעה, bpm, workout""",
    "whole": """; full album, full ep, playlist, greatest hits, dj set, nonstop, mixtape, compilation, best of,
        teaser, preview, snippet, trailer, shorts, ringtone, making of, behind the scenes, full movie""",
    "talk": """; reaction, reacts, reacting, first time hearing, review, analysis, explained, tutorial, lesson,
        how to play, chords, tabs, tab, разбор, урок, dance practice, choreography, fancam, 직캠""",
    "reprise": "; reprise, interlude, outro, skit, intro",
    "mono": "mono",
    "language": "; 日本語, 日語, 일본어, 한국어, 韓語, 영어, 중국어, 中文, 国语, 國語, 粤语, 粵語, 英語",
    "version": """version, ver, versione, versión, versão, wersja, версия, версія, バージョン, 버전, 版, גרסה,
        גרסת, נוסח, نسخة, versie, sürüm, verze, έκδοση, phiên bản; arrangement, arr, rerecorded, re recorded,
        tiktok, remade, redux""",
}
"""`Short` and the like are words of many titles too: a title is read with and without them (moments.readings)."""

NEUTRAL = """official, oficial, officiel, officielle, ufficiale, offizielles, offizieller, offiziell,
    oficjalny, oficjalne, oficjalna, официальный, официальная, официальное, официален, офіційний, офіційне,
    офіційна, 公式, オフィシャル, 官方, 공식, רשמי, הרשמי, רישמי, رسمي, الرسمي, resmi, officieel, officiell,
    επίσημο, oficiální, hivatalos, zvanični, chính thức, video, videoclip, videoklip, vídeo, vidéo, videoclipe,
    clip, clipe, klip, klipp, klippi, teledysk, клип, кліп, видеоклип, видео, відео, קליפ, וידאו, كليب, فيديو,
    βίντεο, ビデオ, ミュージックビデオ, 뮤직비디오, 비디오, mv, pv, audio, áudio, аудио, аудіо, אודיו,
    オーディオ, 오디오, 音源, الصوت, lyric, lyrics, lyrical, lyricvideo, lyricsvideo, musicvideo, musikvideo,
    officialvideo, letra, letras, paroles, testo, tekst,
    текст, слова, songtext, songtexte, liedtext, sözleri, sozleri, lirik, versuri, 歌詞, 歌詞付き, 歌词, 가사,
    מילים, كلمات, στίχοι, szöveg, subtitulado, subtitulada, subtitulos, legendado, subtitles, subs, visualizer,
    visualiser, visualizador, hd, hq, uhd, fhd, 4k, 8k, 2k, 720p, 1080p, 1440p, 2160p, 60fps, 高音質, 高画質,
    remaster, remasters, remastered, remastering, remasterizado, remasterizada, remasterisé, ремастер,
    リマスター, 리마스터, explicit, uncensored, 完整版"""
NEUTRAL_BESIDE = """music, musical, musica, musique, musik, muzyczny, song, songs, piosenki, песни, песня, пісні,
    şarkı, sarki, the, with, w, in, on, screen, con, avec, mit, und, z, con la, and, og, y, e, de, du, la,
    version, full, original, album, color, coded, eng, rom, han, esp, 360, sub, stereo, digital, digitally,
    deluxe, high, quality, description"""
"""Neutral only beside a word of `NEUTRAL`: `Full Lyric Video`, `Remastered Version`, `Letra en español`."""

NEUTRAL_WHOLE = """original mix, original version, album version, lp version, full song, full audio,
    ncs release, monstercat release, hi res, high quality, full version, explicit version,
    explicit album version, original, original audio, original song, original soundtrack, ost, 完整版, deluxe,
    deluxe edition, deluxe version, expanded edition, bonus track, album track, free download, out now,
    premiere, premiera, премьера, премьера клипа, exclusive, exclusivo, эксклюзив, حصريا, stereo,
    stereo version, lời bài hát"""
AUDIO = """audio, áudio, аудио, аудіо, אודיו, オーディオ, 오디오, 音源, الصوت, lyric, lyrics, lyrical, letra,
    letras, paroles, testo, tekst, текст, songtext, sözleri, versuri, 歌詞, 歌词, 가사, מילים, كلمات, στίχοι,
    visualizer, visualiser, visualizador"""
"""Words of `NEUTRAL` by which an upload says that this is the release's own sound."""
