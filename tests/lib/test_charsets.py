"""Twenty rows of typical names tell an old encoding; what they leave open, a person or the clinic's country does."""

import pytest

from lib import charsets, imports, tables

NAMES = {
    "cp1254": (
        "Ayşe Yılmaz,Mehmet Öztürk,Fatma Çelik,Mustafa Şahin,Emine Yıldız,Hüseyin Aydın,"
        "İbrahim Doğan,Hatice Kılıç,Zeynep Aslan,Gülşen Çetin,Özgür Koç,Tuğba Kurt,"
        "Çağlar Özdemir,Şükrü Erdoğan,Işıl Güneş,Oğuz Acar,Ümit Yavuz,Sevgi Kaplan,"
        "Barış Güler,Büşra Şimşek"
    ),
    "cp1255": (
        "יוסף כהן,משה לוי,שרה מזרחי,דוד פרץ,רחל ביטון,אברהם דהן,מרים אברהם,יעקב פרידמן,"
        "חנה שפירא,יצחק אזולאי,לאה גולן,שמעון עמר,נועה חדד,איתן סגל,תמר גבאי,אורי קליין,"
        "מיכל רוזנברג,גיל שטרן,עדי ברק,טל נחום"
    ),
    "cp1256": (
        "محمد أحمد,فاطمة علي,عبد الله حسن,خديجة إبراهيم,يوسف محمود,مريم خالد,عمر السيد,"
        "زينب مصطفى,حسين عبد الرحمن,عائشة صالح,إسماعيل طه,سارة جمال,كريم فاروق,نور الدين,"
        "ليلى سعيد,طارق زكي,هدى شريف,سمير غانم,رنا قاسم,وليد نصر"
    ),
    "cp1251": (
        "Иван Петров,Мария Иванова,Алексей Смирнов,Елена Кузнецова,Дмитрий Попов,"
        "Ольга Васильева,Сергей Соколов,Наталья Михайлова,Андрей Новиков,Татьяна Фёдорова,"
        "Юрий Щербаков,Ксения Жукова,Пётр Чайковский,Людмила Яковлева,Олександр Шевченко,"
        "Євген Ковальчук,Ірина Бондаренко,Георги Димитров,Христо Стоянов,Зоя Цветкова"
    ),
    "cp1253": (
        "Γιώργος Παπαδόπουλος,Μαρία Γεωργίου,Δημήτρης Νικολάου,Ελένη Κωνσταντίνου,"
        "Κώστας Ιωάννου,Αικατερίνη Παππά,Νίκος Οικονόμου,Σοφία Δημητρίου,Άννα Χριστοδούλου,"
        "Παναγιώτης Μακρής,Βασίλης Αγγελόπουλος,Χρήστος Βλάχος,Φωτεινή Ζαχαρίου,"
        "Θανάσης Ψαρράς,Ξένια Λαμπροπούλου,Ιωάννα Καραγιάννη,Σπύρος Αντωνίου,Έλλη Ράπτη,"
        "Όλγα Σταύρου,Μιχάλης Ευαγγέλου"
    ),
    "cp874": (
        "สมชาย ใจดี,สมหญิง รักไทย,ประเสริฐ วงศ์สวัสดิ์,นภา ศรีสุข,วิชัย แสงทอง,สุดา พรหมมา,"
        "อนันต์ บุญมี,กัญญา ทองดี,ณัฐพล สุขใจ,พิมพ์ใจ จันทร์เพ็ญ,ธนากร ชัยวัฒน์,ปิยะ มณีรัตน์,"
        "ศิริพร เพชรดี,มานะ ขันแก้ว,อรทัย คำแพง,ชัยวัฒน์ ดวงดี,เกศินี โพธิ์ทอง,วรรณา สายชล,"
        "สุรชัย หอมหวล,จิราพร อินทร์แก้ว"
    ),
    "gb18030": (
        "王伟,李娜,张敏,刘洋,陈静,杨丽,赵强,黄磊,周杰,吴秀英,徐艳,孙勇,马超,朱婷,胡军,郭涛,何明,高翔,林霞,罗欣怡"
    ),
    "cp950": (
        "陳怡君,林志明,黃淑芬,張家豪,李雅婷,王建宏,吳美玲,劉俊傑,蔡佩珊,楊宗翰,許雅惠,鄭文雄,謝淑娟,郭明哲,洪詩涵,邱冠宇,曾麗華,廖信宏,賴慧君,周子軒"
    ),
    "cp932": (
        "佐藤 太郎,鈴木 花子,高橋 健一,田中 美咲,伊藤 翔太,渡辺 由美,山本 大輔,中村 さくら,小林 直樹,加藤 恵子,吉田 拓也,山田 あかり,佐々木 誠,"
        "山口 陽子,松本 隆,井上 真理,木村 ケンジ,林 智子,清水 和也,斎藤 奈々"
    ),
    "cp949": (
        "김민수,이영희,박지훈,최수진,정현우,강미경,조성민,윤서연,장동건,임하늘,한지민,오세훈,서은주,신동엽,권나라,황정민,안재욱,송혜교,류승룡,홍길동"
    ),
}
OTHERS = {"koi8_u": "cp1251", "iso8859_5": "cp1251", "cp866": "cp1251", "iso8859_7": "cp1253", "euc_jp": "cp932"}
WESTERN = ["Jürgen Müller", "José Muñoz", "François Lefèvre", "Søren Ågård", "Renée Strauß", "João Gonçalves", "Niccolò Verdú"]
CENTRAL = ["Jiří Dvořák", "Zdeněk Černý", "Łukasz Wałęsa", "Małgorzata Żółkiewska", "Győző Szűcs", "Ondřej Šťastný"]


def names(encoding: str) -> list[str]:
    found = NAMES[OTHERS.get(encoding, encoding)].split(",")
    return [name for name in found if name.encode(encoding, "ignore").decode(encoding) == name]


def written(people: list[str], encoding: str) -> bytes:
    return "\n".join(["Name;Phone", *(f"{name};030 123" for name in people)]).encode(encoding)


def read(data: bytes, encoding: str = "", country: str = "") -> list[str]:
    return [cells[0] for _line, cells in tables.read_table(data, "x.csv", encoding, country).rows]


@pytest.mark.parametrize("encoding", [*NAMES, "koi8_u", "iso8859_5", "cp866", "iso8859_7"])
def test_twenty_names_tell_their_encoding(encoding):
    assert read(written(names(encoding), encoding)) == names(encoding)


@pytest.mark.parametrize("encoding", ["cp1251", "cp1253", "cp1255", "cp949", "gb18030"])
def test_capitals_and_small_letters_tell_it_too(encoding):
    for people in ([one.upper() for one in names(encoding)], [one.lower() for one in names(encoding)]):
        assert read(written(people, encoding)) == people


@pytest.mark.parametrize(("people", "encoding"), [(WESTERN, "cp850"), (CENTRAL, "iso8859_2")])
def test_the_letters_of_dos_and_of_iso_are_told_from_those_of_windows(people, encoding):
    assert read(written(people, encoding)) == people


@pytest.mark.parametrize("encoding", [*NAMES, *OTHERS])
def test_a_chosen_encoding_is_the_one_that_is_used(encoding):
    assert encoding in charsets.labels()
    assert read(written(names(encoding)[:1], encoding), encoding) == names(encoding)[:1]


def test_a_small_russian_file_is_not_korean():
    for people in (["Иван", "Анна"], ["Мария", "Олег"], ["Пётр", "Ольга"]):
        assert read(written(people, "cp1251")) == people


@pytest.mark.parametrize(("name", "encoding", "country"), [("Ayşe", "cp1254", "TR"), ("Þór Ayþe", "cp1252", "IS"), ("Gödön", "cp1250", "HU")])
def test_the_country_decides_what_a_single_name_leaves_open(name, encoding, country):
    data = written([name], encoding)
    assert read(data, country=country) == [name]
    assert imports.read(data, "x.csv", country=country).table.encoding == encoding


@pytest.mark.parametrize("encoding", charsets.labels())
def test_every_encoding_has_a_name_and_can_be_chosen_for_any_file(encoding):
    assert "(" in charsets.label(encoding)
    assert tables.read_table(bytes([*b"Name;Phone\nB", *range(128, 256), *b"\nAnna;1\nBen;2\n\n"]), "x.csv", encoding)


def test_what_comes_after_many_plain_lines_counts_too():
    data = b"Name;Phone\n" + b"Anna Bell;1\n" * 49_000 + written(names("cp1251"), "cp1251")
    assert tables.read_table(data, "x.csv").encoding == "cp1251"
